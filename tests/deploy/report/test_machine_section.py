"""The machine before and after, what could not be read, and what identifies the files."""

from __future__ import annotations

from condmix.deploy.report.machine_section import machine_section, settings_section
from condmix.deploy.report.view import ReportView
from condmix.runtime.bench.environment import Core
from tests.deploy.report.synthetic import environment, full_report


def test_what_changed_stands_side_by_side() -> None:
    tables = machine_section(ReportView(full_report())).groups[0].tables
    states = {row[0]: row[1:] for row in tables[1].rows}
    assert states["load average"] == ("0.42, 0.51, 0.60", "1.10, 0.70, 0.60")
    assert states["CPU time stolen by the hypervisor"] == ("12.25 s", "14.50 s")
    assert states["frequency now"][0] == "0: 2.10 GHz, 1: not readable"
    assert states["governor"][0] == "schedutil"
    assert states["temperature"] == ("not readable", "not readable")


def test_what_could_not_be_read_has_its_reason() -> None:
    tables = machine_section(ReportView(full_report())).groups[0].tables
    assert tables[2].rows == (("power", "no power supply is listed"), ("temperatures", "no thermal zone"))
    readable = environment(unreadable={})
    tables = (
        machine_section(ReportView(full_report(environment_before=readable, environment_after=readable)))
        .groups[0]
        .tables
    )
    assert len(tables) == 2


def test_sensors_that_come_or_go_are_shown() -> None:
    cores = (Core(number=0, governor=None, maximum_khz=None, current_khz=None),)
    before = environment(temperatures_celsius={"cpu": 41.4}, cores=cores, load_average=None, power="mains")
    after = environment(temperatures_celsius={"cpu": 63.0, "gpu": 40.0}, memory_available_bytes=None)
    tables = (
        machine_section(ReportView(full_report(environment_before=before, environment_after=after))).groups[0].tables
    )
    states = {row[0]: row[1:] for row in tables[1].rows}
    assert states["temperature cpu"] == ("41 °C", "63 °C")
    assert states["temperature gpu"] == ("", "40 °C")
    assert states["governor"] == ("not readable", "schedutil")
    assert states["load average"][0] == "not readable"
    assert states["memory available"] == ("5.30 GB", "not readable")
    assert states["power"] == ("mains", "not readable")


def test_files_settings_and_command_identify_the_run() -> None:
    report = full_report()
    group = settings_section(ReportView(report)).groups[0]
    assert group.sentences[0] == "Command: condmix bench stock.onnx condmix.onnx --runs 220 -o 'a folder'"
    settings = dict(group.tables[0].rows)
    assert (settings["minimum runs"], settings["maximum seconds"], settings["rounds completed"]) == (
        "220",
        "none",
        "44",
    )
    files = group.tables[1].rows
    assert [row[5] for row in files] == [one.sha256 for one in report.subjects]
    assert files[2][1:5] == ("condmix_int8.onnx", "onnx int8", "image 1x3x224x224", "reference")


def test_unknown_sections_are_named() -> None:
    group = settings_section(ReportView(full_report(sections={"weather": 1}, command=()))).groups[0]
    assert group.sentences[0] == "Command: not recorded"
    assert group.sentences[2] == "Sections that this version does not show, kept in report.json: weather."
