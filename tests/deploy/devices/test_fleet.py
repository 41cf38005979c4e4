"""The fleet file."""

from pathlib import Path

import pytest

from condmix.deploy.devices.address import parse_address
from condmix.deploy.devices.errors import DeviceAddressError
from condmix.deploy.devices.fleet import FleetDevice, read_fleet
from condmix.deploy.devices.phone_choices import PhoneChoices

GOOD = """
[device.pi4]
address = "ssh://pi@rpi.local"
architecture = "aarch64"
python = "python3.11"
folder = "/var/tmp/condmix"
[device.desk]
address = "local"
"""
PHONES = """
[device.plain]
address = "adb:X1"
[device.own]
address = "adb:X2"
cores = "4-7"
cool_to = 35
cool_seconds = 0
fixed_performance = true
[device.tablet]
address = "browser"
bind = "127.0.0.1"
port = 0
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "fleet.toml"
    path.write_text(text)
    return path


def test_devices_come_in_the_order_of_the_file(tmp_path: Path):
    assert read_fleet(written(tmp_path, GOOD)) == (
        FleetDevice(
            name="pi4",
            address=parse_address("ssh://pi@rpi.local"),
            architecture="aarch64",
            python="python3.11",
            folder="/var/tmp/condmix",
        ),
        FleetDevice(name="desk", address=parse_address("local")),
    )


def test_phones_and_browsers_have_keys_of_their_own(tmp_path: Path):
    plain, own, tablet = read_fleet(written(tmp_path, PHONES))
    assert (plain.phone, plain.bind, plain.port) == (PhoneChoices(), None, None)
    assert own.phone == PhoneChoices(cores="4-7", cool_to=35, cool_seconds=0, fixed_performance=True)
    assert (tablet.bind, tablet.port) == ("127.0.0.1", 0)
    text = """
    [device.a]
    address = "ssh://pi"
    cores = "all"
    port = 1
    [device.b]
    address = "adb"
    cores = "the big ones"
    cool_to = -3
    cool_seconds = 1e999
    bind = "::"
    [device.c]
    address = "adb"
    cores = 7
    cool_to = "cold"
    fixed_performance = "no"
    [device.d]
    address = "browser"
    port = 70000
    python = "python3"
    [device.e]
    address = "browser"
    port = true
    """
    with pytest.raises(DeviceAddressError) as error:
        read_fleet(written(tmp_path, text))
    assert [problem.partition("device ")[2] for problem in error.value.problems] == [
        "'a': 'cores' is for phones (adb)",
        "'a': 'port' is for browsers",
        "'b': 'bind' is for browsers",
        "'b': cores must be fastest, slowest, all, or numbers such as 4-7 or 0,2, found 'the big ones'",
        "'b': degrees to cool to must be above 0, at most 100, found -3",
        "'b': seconds of cooling must be at least 0 and finite, found inf",
        "'c': 'cores' must be a text, found 7",
        "'c': 'cool_to' must be a number, found 'cold'",
        "'c': 'fixed_performance' must be true or false, found 'no'",
        "'d': 'python' is for ssh:// devices",
        "'d': 'port' must be 0 to 65535, found 70000",
        "'e': 'port' must be a whole number, found True",
    ]


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path):
    text = """
    devices = 1
    [device."../x"]
    address = "local"
    [device.a]
    adress = "local"
    [device.b]
    address = "local"
    folder = "/tmp"
    architecture = "mips"
    [device.c]
    address = "nowhere"
    [device.d]
    address = 7
    """
    path = written(tmp_path, text)
    with pytest.raises(DeviceAddressError) as error:
        read_fleet(path)
    assert [problem.removeprefix(f"{path}: ").split(": expected")[0] for problem in error.value.problems] == [
        "unknown name 'devices': did you mean 'device'?",
        "device '../x': its name must be letters, digits, '_', '-' and '.', at most 64",
        "device 'a': unknown name 'adress': did you mean 'address'?",
        "device 'a': 'address' is missing",
        "device 'b': 'architecture' is for ssh:// devices",
        "device 'b': 'folder' is for ssh:// devices",
        "device 'b': 'architecture' must be one of aarch64, x86_64, armv7l, found 'mips'",
        "device 'c': 'nowhere' names no device",
        "device 'd': 'address' must be a text, found 7",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("[device", "it is not TOML"), ("", "there is no device"), ("device = 3", "there is no device")],
)
def test_files_that_are_no_fleet(tmp_path: Path, text: str, expected: str):
    with pytest.raises(DeviceAddressError, match=expected):
        read_fleet(written(tmp_path, text))


def test_no_file(tmp_path: Path):
    with pytest.raises(DeviceAddressError, match="No such file"):
        read_fleet(tmp_path / "none.toml")


def test_lists_without_end_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "fleet.toml"
    path.write_text("device = " + "[" * 5000)
    with pytest.raises(DeviceAddressError, match="its lists lie too deep within each other"):
        read_fleet(path)
