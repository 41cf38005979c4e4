"""Which device adb means, and whether there is an adb; every refusal lists what there is."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from condmix.deploy.devices.adb_choice import choose_device, list_devices, parse_devices
from condmix.deploy.devices.adb_executable import find_adb
from condmix.deploy.devices.errors import DeviceError
from tests.deploy.devices.adb_fake import SERIAL, FakePhone, phone  # noqa: F401 - a fixture

LISTING = """* daemon not running; starting now at tcp:5037
* daemon started successfully
List of devices attached
R58M12ABCDE            device usb:1-2 product:panther model:Pixel_7 device:panther transport_id:3
0123456789ABCDEF       unauthorized usb:1-1 transport_id:4
192.168.1.20:5555      offline transport_id:5
emulator-5554          no permissions (user in plugdev group; are your udev rules wrong?); see [http://x]
odd                    rescue

"""


def refusal(entries: str, serial: str | None = None) -> str:
    with pytest.raises(DeviceError) as caught:
        choose_device(parse_devices(entries), serial, device="adb")
    return str(caught.value)


def test_every_line_is_read():
    found = parse_devices(LISTING)
    assert [(one.serial, one.state, one.model) for one in found] == [
        (SERIAL, "device", "Pixel_7"), ("0123456789ABCDEF", "unauthorized", None),
        ("192.168.1.20:5555", "offline", None), ("emulator-5554", "no permissions", None), ("odd", "rescue", None),
    ]  # fmt: skip
    assert parse_devices("List of devices attached\n\n") == ()


def test_the_only_one_the_named_one_and_the_one_of_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("ANDROID_SERIAL", raising=False)
    several = parse_devices("List of devices attached\na device\nb device\n")
    assert choose_device(several[:1], None, device="adb").serial == "a"
    assert choose_device(several, "b", device="adb").serial == "b"
    monkeypatch.setenv("ANDROID_SERIAL", "b")
    assert choose_device(several, None, device="adb").serial == "b"
    assert choose_device(several, "a", device="adb").serial == "a"


def test_refusals_list_the_devices_and_what_to_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("ANDROID_SERIAL", raising=False)
    assert refusal("List of devices attached\n").startswith("adb: connect: adb knows no device. Turn on USB debugging")
    several = refusal(LISTING)
    assert several.startswith(
        "adb: connect: adb knows 5 devices: R58M12ABCDE (Pixel_7): ready; 0123456789ABCDEF: unauth"
    )
    assert several.endswith("Name one of them: --device adb:R58M12ABCDE")
    assert "adb knows no device 'x'; it knows R58M12ABCDE (Pixel_7): ready;" in refusal(LISTING, "x")
    for serial, words in (
        ("0123456789ABCDEF", "unlock it and answer 'Allow USB debugging?'"),
        ("192.168.1.20:5555", "offline: it does not answer: plug it out and in, or run `adb reconnect`"),
        ("emulator-5554", "install the udev rules"),
        ("odd", "rescue: it is in a state that condmix does not know"),
    ):
        assert words in refusal(LISTING, serial)
    monkeypatch.setenv("ANDROID_SERIAL", "gone")
    assert "no device 'gone' (from ANDROID_SERIAL)" in refusal(LISTING)


def test_adb_lists_and_its_own_failure_is_told(phone: FakePhone, tmp_path: Path):  # noqa: F811
    assert [one.serial for one in list_devices(phone.program, device="adb")] == [SERIAL]
    with pytest.raises(DeviceError, match=r"does not start: No such file"):
        list_devices(tmp_path / "none", device="adb")
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho 'adb: failed to check server version: cannot connect' >&2; exit 1\n")
    broken.chmod(0o755)
    with pytest.raises(DeviceError, match=r"`adb devices` failed: failed to check server version: cannot connect"):
        list_devices(broken, device="adb")


def test_the_program_is_on_path_or_brought_by_adbutils_or_missing(
    phone: FakePhone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch  # noqa: F811
):  # fmt: skip
    assert find_adb("adb") == phone.program
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "adbutils", None)
    with pytest.raises(DeviceError, match=r"there is no program 'adb' on PATH\. Install .*apt install adb.*adbutils"):
        find_adb("adb")
    monkeypatch.setitem(sys.modules, "adbutils", SimpleNamespace(adb_path=lambda: str(phone.program)))
    assert find_adb("adb") == phone.program
    monkeypatch.setitem(sys.modules, "adbutils", SimpleNamespace(adb_path=lambda: "adb"))
    with pytest.raises(DeviceError, match=r"adbutils has no 'adb' for this system"):
        find_adb("adb")
