"""A whole session over a fake adb: the measurement is real, on this machine's own CPU."""

import dataclasses
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from condmix.deploy.devices import adb, agent_device
from condmix.deploy.devices.adb import AdbDevice, _explain
from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.devices.phone_conditions import PhoneSettings
from condmix.deploy.devices.phone_cooling import Cooling
from condmix.deploy.devices.phone_report import EXPERIMENTAL, PhoneRun, with_phone
from condmix.deploy.measure.plan import BenchPlan, BenchRequest, make_plan
from condmix.runtime.bench.reference import Limit, Reference, write_reference
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.settings import BenchSettings
from tests.deploy.devices.adb_fake import FakePhone, fake_python, phone  # noqa: F401 - a fixture
from tests.deploy.devices.test_adb_phone_facts import STATE, probed
from tests.runtime.bench.reports import make_report
from tests.runtime.conftest import build

SHORT = BenchSettings(warmup_runs=1, warmup_seconds=0.0, minimum_runs=10, minimum_seconds=0.0, openings=1)
WEIGHT = np.random.default_rng(3).standard_normal((4, 5)).astype(np.float32)
IMAGES = np.random.default_rng(4).standard_normal((3, 4)).astype(np.float32)


@pytest.fixture
def plan(tmp_path: Path) -> BenchPlan:
    content = build(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        inputs={"x": ["n", 4]}, outputs={"y": ["n", 5]}, constants={"w": WEIGHT},
    )  # fmt: skip
    (tmp_path / "a.onnx").write_bytes(content)
    limits = {"a.onnx": Limit(max_abs_difference=1e-5)}
    right = Reference(inputs={"x": IMAGES}, outputs={"y": IMAGES @ WEIGHT}, outputs_are="numpy", limits=limits)
    write_reference(tmp_path / "a.reference.npz", right)
    return make_plan(BenchRequest(files=(tmp_path / "a.onnx",)))


@pytest.fixture
def device(phone: FakePhone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AdbDevice:  # noqa: F811
    """Its Python is the one of these tests, which has the engines: nothing is fetched."""
    assert phone.left() == []
    monkeypatch.setattr(adb, "phone_python", lambda *_: fake_python(tmp_path / "python.tar"))
    monkeypatch.setattr(agent_device, "fetch", lambda *_: ())
    made = AdbDevice(None, name="adb", cache=tmp_path / "cache", settings=PhoneSettings(most_cooling_seconds=0))
    yield made
    made.close()


def names(phone: FakePhone) -> list[str]:  # noqa: F811
    """What is left, the parts that are kept on purpose under one name."""
    kept = ("condmix-work" if name == "condmix-work" else "python" for name in phone.left())
    return sorted(set(kept))


def test_one_measurement_from_the_probe_to_a_clean_phone(
    phone: FakePhone, device: AdbDevice, plan: BenchPlan  # noqa: F811
):  # fmt: skip
    said: list[str] = []
    report = device.run(plan, SHORT, command=("condmix", "bench"), say=said.append)
    assert report.subject("a").agreement.passed
    assert len(report.subject("a").samples) >= 10
    assert report.subject("a").subject.file == plan.subjects[0].file
    assert report.verdict.first_line().count(EXPERIMENTAL) == 1
    assert report.environment_before.temperatures_celsius["VIRTUAL-SKIN"] == 31.5
    assert report.environment_after.power == "USB; battery charging, 82 %"
    section = report.sections["phone"]
    assert (section["experimental"], section["facts"]["model"]) == (True, "Pixel 7")
    assert section["cores"] == sorted(os.sched_getaffinity(0))
    assert report.environment_before.cpu.usable_cores == len(section["cores"])
    assert section["cooling"]["reached"] is True
    assert section["fixed_performance"] == "fixed performance mode was on"
    assert BenchReport.from_dict(report.to_dict()) == report
    assert (phone.control / "cmd").read_text().splitlines() == [
        "power set-fixed-performance-mode-enabled true", "power set-fixed-performance-mode-enabled false",
    ]  # fmt: skip
    assert any("a small inference" in one for one in said)
    device.close()
    assert names(phone) == ["condmix-work", "python"]
    assert list(Path(phone.tmp / "condmix-work").glob("session-*")) == []
    assert device.clean().startswith(f"adb: removed {phone.tmp}/condmix-*, ")
    assert phone.left() == []


def test_facts_before_anything_is_brought(phone: FakePhone, device: AdbDevice):  # noqa: F811
    facts = device.probe()
    assert (facts.machine, facts.bits, facts.architecture, facts.libc) == ("x86_64", 64, "x86_64", "glibc")
    assert facts.model == device.phone.sentence()
    assert (phone.left(), "push " in phone.log) == ([], False)


def test_a_failure_in_the_middle_puts_everything_back(
    phone: FakePhone, device: AdbDevice, plan: BenchPlan, monkeypatch: pytest.MonkeyPatch  # noqa: F811
):  # fmt: skip
    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(device._agent, "prepare", lambda *_: None)
    monkeypatch.setattr(device._agent, "run", fail)
    with pytest.raises(KeyboardInterrupt):
        device.run(plan, SHORT)
    last = (phone.control / "cmd").read_text().splitlines()[-1]
    assert last == "power set-fixed-performance-mode-enabled false"
    device.close()
    assert names(phone) == ["python"]


def test_a_phone_that_is_unplugged(phone: FakePhone, device: AdbDevice, plan: BenchPlan):  # noqa: F811
    device.prepare(["onnxruntime"])
    phone.fail("unplugged")
    with pytest.raises(DeviceError, match=r"adb: .*the link to the phone was lost"):
        device.run(plan, SHORT)
    device.close()
    assert names(phone) == ["condmix-work", "python"]


def test_two_at_once(phone: FakePhone, device: AdbDevice, tmp_path: Path):  # noqa: F811
    assert device.guard is device.guard
    other = AdbDevice(None, name="adb:other", cache=tmp_path / "cache")
    with pytest.raises(DeviceError, match=r"adb:other: lock: another session measures on this phone"):
        other.prepare(["onnxruntime"])
    other.close()
    assert phone.left() == ["condmix-lock"]


def test_a_refused_performance_mode_is_said(phone: FakePhone, device: AdbDevice, plan: BenchPlan, monkeypatch):  # noqa: F811
    phone.command("cmd", "echo 'Unknown command: set-fixed-performance-mode-enabled'; exit 255")
    monkeypatch.setattr(device._agent, "prepare", lambda *_: None)
    monkeypatch.setattr(device._agent, "run", lambda *_, **__: make_report())
    section = device.run(plan, SHORT, stop=threading.Event()).sections["phone"]
    assert section["fixed_performance"] == (
        "fixed performance mode was refused: Unknown command: set-fixed-performance-mode-enabled"
    )


def test_a_phone_of_another_kind_or_time(phone: FakePhone, device: AdbDevice):  # noqa: F811
    phone.command("uname", "echo armv7l")
    with pytest.raises(DeviceError, match=r"expected a 64-bit kernel"):
        device.prepare(["onnxruntime"])
    device.close()
    phone.command("uname", "echo x86_64")
    phone.command("date", "echo 1000000")
    with pytest.raises(DeviceError, match=r"probe: its clock is .* hours behind"):
        device.prepare(["onnxruntime"])
    assert phone.left() == []


def around(**changes: object) -> PhoneRun:
    cooling = Cooling(
        target_celsius=37, sensor="skin", start_celsius=33, end_celsius=33, waited_seconds=0, reached=True
    )
    run = PhoneRun(
        facts=probed(), before=STATE, after=STATE, cooling=cooling, cores=(6, 7), core_words="", performance=None
    )
    return dataclasses.replace(run, **changes)


def test_the_phones_own_word_about_heat_outweighs_a_valid_measurement():
    cool = with_phone(make_report(), around())
    assert cool.verdict.first_line() == f"VALID: nothing was found against it; {EXPERIMENTAL}"
    hot = with_phone(make_report(), around(after=dataclasses.replace(STATE, thermal_status=2)))
    assert hot.verdict.first_line() == (
        "THROTTLED: the phone slowed itself down after the measurement: thermal status moderate; " + EXPERIMENTAL
    )
    assert len(hot.verdict.findings) == 1


def test_a_date_of_a_wrong_clock_is_replaced_and_what_is_unreadable_is_listed():
    facts = dataclasses.replace(probed(), clock_offset_seconds=1200.0)
    unread = dataclasses.replace(STATE, temperatures_celsius={}, unreadable={"battery": "Permission denied"})
    report = with_phone(make_report(), around(facts=facts, before=unread))
    assert report.created != make_report().created
    assert report.environment_before.unreadable["battery (adb)"] == "Permission denied"
    assert report.environment_before.power == "mains"


def test_how_the_agents_link_ends_is_explained():
    assert _explain(1, "adb: device offline") == ("the link to the phone was lost: device offline", adb.PLUG_IN)
    assert _explain(-9, "")[0] == "the link to the phone was lost"
    invalid = "Traceback (most recent call last):\n  os.sched\nOSError: [Errno 22] Invalid argument\n"
    assert _explain(1, invalid)[0] == "Python on the phone ended with exit code 1: OSError: [Errno 22] Invalid argument"
    assert _explain(137, "Killed")[0] == "Python on the phone ended with exit code 137: Killed"
