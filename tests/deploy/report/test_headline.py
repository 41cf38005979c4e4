"""The first table: what the count does not support is not there, and no difference is called none."""

from __future__ import annotations

from dataclasses import replace

from condmix.deploy.report.headline import failures_section, headline_section, headline_table
from condmix.deploy.report.view import ReportView
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.samples import Samples
from tests.deploy.report.synthetic import CONTROL, full_report, shortened


def _cells(report: BenchReport) -> list[dict[str, str]]:
    table = headline_table(ReportView(report))
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def test_a_row_has_everything() -> None:
    row = _cells(full_report())[2]
    steady = full_report().steady("condmix_int8.onnx")
    assert steady is not None
    assert row["subject"] == "C  condmix_int8.onnx"
    assert (row["size"], row["load, ms"], row["first inference, ms"]) == ("4.6 MB", "31.34", "15.67")
    assert row["median, ms"] == f"{steady.median_ns / 1e6:.3f}"
    assert (row["top-1 agreement"], row["max |d|"], row["peak memory"]) == ("87.5 %", "0.21", "87.2 MB")
    assert row["runs in"] == "onnxruntime 1.31.1, 1 thread"


def test_percentiles_appear_with_the_runs_that_support_them() -> None:
    report = full_report()
    assert {"p90, ms", "p95, ms"} <= set(_cells(report)[0])
    assert "p99, ms" not in _cells(report)[0]
    few = _cells(shortened(report, 10))[0]
    assert (few["p90, ms"], few["95 % interval, ms"]) == ("n too small", "too few rounds")
    assert "p95, ms" not in few


def test_ratios_have_intervals_and_no_difference_is_called_none() -> None:
    rows = {row["subject"].split("  ")[1]: row["ratio to A"] for row in _cells(full_report())}
    assert rows["stock.onnx"] == "1"
    assert rows["condmix.onnx"].startswith("0.68")
    assert " to " in rows["condmix.onnx"]
    assert rows[CONTROL].startswith("no measurable difference (")


def test_without_an_interval_no_difference_is_claimed() -> None:
    report = shortened(full_report(), 10)
    assert _cells(report)[1]["ratio to A"].endswith("(too few rounds for an interval)")
    (group,) = headline_section(ReportView(report)).groups
    assert "no difference is claimed" in group.sentences[0]


def test_lost_and_wrong_subjects_and_an_early_end_are_named() -> None:
    report = full_report()
    assert failures_section(ReportView(report)) is None
    lost = replace(report.subjects[1], samples=Samples(), openings=(), failure="the worker process was killed")
    agreement = report.subjects[2].agreement
    assert agreement is not None
    wrong = replace(report.subjects[2], agreement=replace(agreement, passed=False, detail="off by 3"))
    report = replace(report, subjects=(report.subjects[0], lost, wrong, *report.subjects[3:]), interrupted="Ctrl-C")
    section = failures_section(ReportView(report))
    assert section is not None
    assert list(section.groups[0].sentences) == [
        "B  condmix.onnx was lost after 0 timed runs: the worker process was killed",
        "C  condmix_int8.onnx does not compute what it should: off by 3",
        "The measurement ended early: Ctrl-C. What was measured until then is here.",
    ]
    row = _cells(report)[1]
    assert (row["median, ms"], row["ratio to A"], row["load, ms"]) == ("not measured", "", "")


def test_an_unchecked_subject_says_so() -> None:
    report = full_report()
    report = replace(report, subjects=(*report.subjects[:5], replace(report.subjects[5], agreement=None)))
    assert (_cells(report)[5]["top-1 agreement"], _cells(report)[5]["max |d|"]) == ("not checked", "not checked")


def test_what_the_delegate_leaves_is_told() -> None:
    sentences = headline_section(ReportView(full_report())).groups[0].sentences
    assert (
        "D  condmix.tflite: The delegate takes 40 of 41 operators in 2 parts; left to the engine: PACK x1." in sentences
    )


def test_details_are_folded_below() -> None:
    tables = headline_section(ReportView(full_report())).groups[0].tables
    assert [table.folded for table in tables] == [False, True, True, True]
    spread = dict(zip(tables[2].columns, tables[2].rows[0], strict=True))
    assert (spread["runs"], spread["CPU / wall"]) == ("220", "0.99")
    openings = dict(zip(tables[3].columns, tables[3].rows[1], strict=True))
    assert (openings["opening"], openings["warm-up runs"], openings["peak"]) == ("2", "5", "not readable")
