"""Other machines: what cannot be done there is refused, and results are told and written device by device."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from condmix.deploy.devices.phone_choices import PhoneChoices
from condmix.deploy.devices.result import DeviceOutcome, DevicesResult
from condmix.deploy.errors import PlanError
from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.measure.elsewhere import (
    Elsewhere,
    Outputs,
    PhoneFlags,
    check_gates_elsewhere,
    folder_of,
    named_elsewhere,
    require_room_elsewhere,
    tell_elsewhere,
)
from condmix.deploy.measure.gates import Gates, read_gates
from tests.runtime.bench.reports import make_report

NO_GATES = Gates(conditions=(), baseline=None, largest_regression=0.05)
QUIET = Outputs(folder=None, overwrite=False, junit=None, github=False, as_json=False)


def _named(*addresses: str, profile: bool = False, gated: bool = False) -> object:
    return named_elsewhere(addresses, None, bind="127.0.0.1", port=0, profile=profile, gated=gated)


def _result(*outcomes: DeviceOutcome) -> DevicesResult:
    return DevicesResult(condmix_version="1", created="2026-01-01T00:00:00+00:00", command=(), outcomes=outcomes)


def _measured(name: str) -> DeviceOutcome:
    return DeviceOutcome(name=name, address=name, facts=None, report=make_report(), failure=None)


def _failed(name: str) -> DeviceOutcome:
    sentence = f"{name}: connect: refused. Start it."
    return DeviceOutcome(name=name, address=name, facts=None, report=None, failure=sentence, step="connect")


def test_this_machine_is_not_elsewhere() -> None:
    assert _named() is None
    assert _named("local") is None
    assert _named("local", profile=True) is None


def test_flags_about_phones_are_refused_for_others() -> None:
    flags = PhoneFlags(cores="4-7", cool_seconds=0.0, no_fixed_performance=True)
    said = "--cores, --cool-seconds, --no-fixed-performance: only of a phone by adb can cores and warmth be told, and "
    for addresses, names, fleet in (
        ((), "local is none", ""),
        (("local", "ssh://pi"), "local, ssh://pi is none", ""),
        (("adb", "browser"), "browser is none", "; a fleet file says it of the phone alone"),
    ):
        with pytest.raises(PlanError) as caught:
            named_elsewhere(addresses, None, phones=flags)
        assert str(caught.value).splitlines()[1:] == [f"  - {said}{names}{fleet}"]
    where = named_elsewhere(("adb",), None, phones=flags)
    assert isinstance(where, Elsewhere)
    assert where.options.phones == PhoneChoices(cores="4-7", cool_seconds=0.0, fixed_performance=False)
    with pytest.raises(PlanError, match=r"no phone can be told this:\n  - cores must be fastest, .* found 'big'"):
        named_elsewhere(("adb",), None, phones=PhoneFlags(cores="big"))


def test_a_browser_stands_beside_other_devices(tmp_path: Path) -> None:
    where = named_elsewhere(("browser", "local"), None)
    assert isinstance(where, Elsewhere)
    assert where.names == ("browser", "local")
    fleet = tmp_path / "fleet.toml"
    fleet.write_text('[device.a]\naddress = "browser"\n[device.b]\naddress = "browser"\n')
    assert isinstance(named_elsewhere((), fleet), Elsewhere)
    with pytest.raises(PlanError, match="port 8000: two browsers cannot be served there"):
        named_elsewhere((), fleet, port=8000)


def test_no_gate_asks_an_emulated_device_for_a_time() -> None:
    where = named_elsewhere(("emulated:armv7",), None, gated=True)
    assert isinstance(where, Elsewhere)
    check_gates_elsewhere(where, read_gates(["max_difference>1e-3", "verdict==UNVERIFIED"], None, 0.05))
    with pytest.raises(PlanError) as caught:
        check_gates_elsewhere(where, read_gates(["p90>12ms", "size>1MB", "ratio>2"], None, 0.05))
    assert str(caught.value).splitlines() == [
        "an emulated device cannot be judged by this, only by agreement, max_difference, sqnr, size and verdict:",
        "  - p90>12ms: emulated:armv7 is emulated and gives no time",
        "  - ratio>2: emulated:armv7 is emulated and gives no time",
    ]
    board = named_elsewhere(("ssh://pi",), None, gated=True)
    assert isinstance(board, Elsewhere)
    check_gates_elsewhere(board, read_gates(["p90>12ms"], None, 0.05))


def test_all_that_cannot_be_done_is_told_at_once() -> None:
    with pytest.raises(PlanError) as caught:
        _named("browser", "ssh://board", profile=True, gated=True)
    assert str(caught.value).splitlines() == [
        "this cannot be done on other machines:",
        "  - --profile looks into the engine on this machine: leave it out",
        "  - gates (--fail-if, --baseline, --junit, --github) are about one device: name one",
    ]


def test_one_device_that_fails_does_not_lose_the_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = dataclasses.replace(QUIET, folder=tmp_path / "out")
    code = tell_elsewhere(_result(_measured("local"), _failed("ssh://pi@board")), NO_GATES, outputs)
    told = capsys.readouterr()
    assert code is ExitCode.MISSING
    assert "failed: connect" in told.out
    assert "condmix: ssh://pi@board: connect: refused. Start it." in told.err
    record = json.loads((tmp_path / "out" / "devices.json").read_text())
    assert [one["name"] for one in record["devices"]] == ["local", "ssh://pi@board"]
    assert (tmp_path / "out" / "local" / "report.html").is_file()
    assert "ssh://pi@board" in (tmp_path / "out" / "devices.md").read_text()


def test_gates_are_judged_on_the_one_device(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gates = read_gates(["median>1us"], None, 0.05)
    outputs = dataclasses.replace(QUIET, junit=tmp_path / "cases.xml")
    assert tell_elsewhere(_result(_measured("board")), gates, outputs) is ExitCode.LATENCY
    assert "[failed] median>1us" in capsys.readouterr().out
    assert "median&gt;1us" in (tmp_path / "cases.xml").read_text()


def test_json_stands_alone_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    outputs = dataclasses.replace(QUIET, as_json=True)
    assert tell_elsewhere(_result(_failed("adb")), NO_GATES, outputs) is ExitCode.MISSING
    assert json.loads(capsys.readouterr().out)["kind"] == "condmix-devices"


def test_folders_have_plain_names() -> None:
    assert folder_of(Path("out"), "ssh://pi@board:2222") == Path("out/ssh-pi-board-2222")
    assert folder_of(Path("out"), "..") == Path("out/device")


def test_an_older_report_is_seen_before_measuring(tmp_path: Path) -> None:
    where = named_elsewhere(["local", "ssh://pi@board"], None, bind="", port=0, profile=False, gated=False)
    assert isinstance(where, Elsewhere)
    require_room_elsewhere(where, tmp_path / "new", overwrite=False)
    assert not (tmp_path / "new").exists()
    for old in (tmp_path / "a" / "devices.json", tmp_path / "b" / "local" / "report.html"):
        old.parent.mkdir(parents=True)
        old.touch()
    for folder in (tmp_path / "a", tmp_path / "b"):
        with pytest.raises(PlanError, match="overwrite"):
            require_room_elsewhere(where, folder, overwrite=False)
        require_room_elsewhere(where, folder, overwrite=True)


def test_devices_do_not_share_a_folder(tmp_path: Path) -> None:
    where = named_elsewhere(["ssh://board.22", "ssh://board:22"], None, bind="", port=0, profile=False, gated=False)
    assert isinstance(where, Elsewhere)
    same = dataclasses.replace(
        where, devices=(where.devices[1], dataclasses.replace(where.devices[1], name="ssh:/board/22"))
    )
    with pytest.raises(PlanError, match="two devices would write to one folder"):
        require_room_elsewhere(same, tmp_path / "out", overwrite=False)


def test_tflite_runtime_stays_on_this_machine() -> None:
    with pytest.raises(PlanError, match=r"--engine tflite-runtime: its packages are those of this machine, and adb is"):
        named_elsewhere(("local", "adb"), None, engines=("litert", "tflite-runtime"))
    assert named_elsewhere(("local",), None, engines=("tflite-runtime",)) is None


def test_gates_speak_of_subjects_that_only_a_browser_names(capsys: pytest.CaptureFixture[str]) -> None:
    browser, board = named_elsewhere(("browser",), None), named_elsewhere(("ssh://pi",), None)
    assert isinstance(browser, Elsewhere)
    assert isinstance(board, Elsewhere)
    assert (browser.renames, board.renames) == (True, False)
    gates = read_gates(["median(dig@wasm)>1us"], None, 0.05)
    assert tell_elsewhere(_result(_measured("browser")), gates, QUIET) is ExitCode.LATENCY
    assert "[cannot be judged] median(dig@wasm)>1us  dig@wasm: it was not measured, there are a, half" in (
        capsys.readouterr().out
    )
