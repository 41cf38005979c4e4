"""Other machines: what cannot be done there is refused, and results are told and written device by device."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from condmix.deploy.devices.result import DeviceOutcome, DevicesResult
from condmix.deploy.errors import PlanError
from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.measure.elsewhere import (
    Elsewhere,
    Outputs,
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


def test_all_that_cannot_be_done_is_told_at_once() -> None:
    with pytest.raises(PlanError) as caught:
        _named("browser", "ssh://board", profile=True, gated=True)
    assert str(caught.value).splitlines() == [
        "this cannot be done on other machines:",
        "  - a browser is measured alone: leave the other devices out",
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
