"""From --device, --fleet and --clean to devices."""

from __future__ import annotations

from pathlib import Path

import pytest

from condmix.deploy.devices import run
from condmix.deploy.devices.adb import AdbDevice
from condmix.deploy.devices.agent_device import AgentDevice
from condmix.deploy.devices.emulated import EmulatedDevice
from condmix.deploy.devices.errors import DeviceAddressError
from condmix.deploy.devices.local import LocalDevice
from condmix.deploy.devices.open_device import open_device
from condmix.deploy.devices.run import clean_devices, named_devices, run_on_devices
from condmix.deploy.exit_codes import ExitCode
from tests.deploy.devices.boards import BRIEF, Board, fake_job, onnx_plan
from tests.deploy.devices.test_fleet import GOOD, written


def test_without_a_word_it_is_this_machine():
    (one,) = named_devices(())
    assert one.name == "local"
    assert isinstance(open_device(one, Path("cache")), LocalDevice)


def test_every_address_is_opened_as_what_it_is(tmp_path: Path):
    kinds = [
        type(open_device(one, tmp_path)) for one in named_devices(("local", "ssh://pi", "emulated:armv7", "adb:X1"))
    ]
    assert kinds == [LocalDevice, AgentDevice, EmulatedDevice, AdbDevice]
    with pytest.raises(DeviceAddressError, match="a browser is measured alone"):
        open_device(*named_devices(("browser",)), tmp_path)


def test_a_fleet_is_all_of_it_or_what_is_named(tmp_path: Path):
    fleet = written(tmp_path, GOOD)
    assert [one.name for one in named_devices((), fleet)] == ["pi4", "desk"]
    assert [one.name for one in named_devices(("desk", "ssh://other"), fleet)] == ["desk", "ssh://other"]
    with pytest.raises(DeviceAddressError) as error:
        named_devices(("pi5", "desk", "desk"), fleet)
    assert error.value.problems[0] == "desk is given twice"
    assert error.value.problems[1].endswith(f"; names of {fleet} are pi4, desk")


def test_a_board_that_is_gone_and_this_machine(board: Board, tmp_path: Path):
    board.behave("echo 'ssh: connect to host pi port 22: Connection refused' >&2; exit 255")
    named = named_devices(("ssh://pi", "local"))
    result = run_on_devices(named, onnx_plan(tmp_path), BRIEF, cache=board.cache)
    assert set(result.reports) == {"local"}
    assert result.failures["ssh://pi"] == (
        "ssh://pi: connect: ssh says: ssh: connect to host pi port 22: Connection refused. "
        "Start its ssh server, and check the port."
    )
    assert result.exit_code is ExitCode.MISSING
    assert result.outcomes[0].facts is None
    agreement = result.reports["local"].subject("model").agreement
    assert agreement is not None
    assert agreement.passed


def test_clean_says_what_it_removed_and_what_it_could_not(board: Board, monkeypatch: pytest.MonkeyPatch):
    fake_job(monkeypatch, "")
    device = board.device()
    device.prepare(["onnxruntime"])
    device.close()
    asked = iter([board.device(), board.device()])
    monkeypatch.setattr(run, "open_device", lambda *_: next(asked))
    removed, failed = clean_devices(named_devices(("ssh://pi",)), cache=board.cache)
    assert failed == []
    assert removed[0].startswith("pi: removed ")
    assert not board.folder.exists()
    board.behave("exit 255")
    removed, failed = clean_devices(named_devices(("ssh://pi",)), cache=board.cache)
    assert removed == []
    assert failed[0].startswith("pi: connect: the connection was lost")
