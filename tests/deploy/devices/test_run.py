"""From --device, --fleet and --clean to devices."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from condmix.deploy.browser.device import BrowserDevice
from condmix.deploy.devices import open_device as open_device_module
from condmix.deploy.devices import run
from condmix.deploy.devices.adb import AdbDevice
from condmix.deploy.devices.agent_device import AgentDevice
from condmix.deploy.devices.emulated import EmulatedDevice
from condmix.deploy.devices.errors import DeviceAddressError
from condmix.deploy.devices.fleet import read_fleet
from condmix.deploy.devices.local import LocalDevice
from condmix.deploy.devices.open_device import DeviceOptions, open_device
from condmix.deploy.devices.phone_choices import PhoneChoices
from condmix.deploy.devices.phone_conditions import PhoneSettings
from condmix.deploy.devices.run import clean_devices, named_devices, run_on_devices
from condmix.deploy.exit_codes import ExitCode
from tests.deploy.devices.boards import BRIEF, Board, fake_job, onnx_plan
from tests.deploy.devices.test_fleet import GOOD, PHONES, written


def test_without_a_word_it_is_this_machine():
    (one,) = named_devices(())
    assert one.name == "local"
    assert isinstance(open_device(one, Path("cache")), LocalDevice)


def test_every_address_is_opened_as_what_it_is(tmp_path: Path):
    named = named_devices(("local", "ssh://pi", "emulated:armv7", "adb:X1", "browser"))
    kinds = [type(open_device(one, tmp_path)) for one in named]
    assert kinds == [LocalDevice, AgentDevice, EmulatedDevice, AdbDevice, BrowserDevice]


def test_a_phone_is_treated_as_its_fleet_file_says_and_then_as_flags_say(tmp_path: Path):
    (plain, own) = read_fleet(written(tmp_path, PHONES))[:2]
    options = DeviceOptions(phones=PhoneChoices(cores="all", cool_to=30.0, fixed_performance=False))
    settings = {one.name: open_device(one, tmp_path, options).settings for one in (plain, own)}
    assert settings["plain"] == PhoneSettings(cores="all", target_celsius=30.0, fixed_performance=False)
    assert settings["own"] == PhoneSettings(
        cores="4-7", target_celsius=35, most_cooling_seconds=0, fixed_performance=True
    )
    assert open_device(plain, tmp_path).settings == PhoneSettings()


def test_a_page_is_served_where_the_fleet_file_says_and_then_where_flags_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    asked: list[dict] = []
    monkeypatch.setattr(open_device_module, "BrowserDevice", lambda **given: asked.append(given))
    shown: list[tuple[str, object]] = []
    options = DeviceOptions(bind="0.0.0.0", port=8000, on_page=lambda *given: shown.append(given))
    fleet = read_fleet(written(tmp_path, PHONES))[2:]
    for one in (*fleet, *named_devices(("browser",))):
        open_device(one, tmp_path, options)
    assert [(one["name"], one["bind"], one["port"]) for one in asked] == [
        ("tablet", "127.0.0.1", 0), ("browser", "0.0.0.0", 8000),
    ]  # fmt: skip
    asked[0]["on_address"]("the page")
    assert shown == [("tablet", "the page")]


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


def test_a_browser_that_nobody_opens_fails_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("condmix.deploy.browser.run.engine_files", lambda **_: {})
    monkeypatch.setattr(open_device_module, "BrowserDevice", functools.partial(BrowserDevice, wait_seconds=0.2))
    shown: list[tuple[str, str]] = []
    options = DeviceOptions(on_page=lambda name, page: shown.append((name, page.url)))
    fleet = written(tmp_path, '[device.tablet]\naddress = "browser"\n[device.desk]\naddress = "local"\n')
    result = run_on_devices(
        named_devices((), fleet), onnx_plan(tmp_path), BRIEF, options=options, cache=tmp_path / "cache"
    )
    assert set(result.reports) == {"desk"}
    assert result.failures["tablet"].startswith(
        "tablet: waiting for the browser: no browser opened the address within 0.2 s. Open it in time"
    )
    assert result.exit_code is ExitCode.MISSING
    ((name, url),) = shown
    assert (name, url.startswith("http://127.0.0.1:")) == ("tablet", True)


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
