"""The fleet file."""

from pathlib import Path

import pytest

from condmix.deploy.devices.address import parse_address
from condmix.deploy.devices.errors import DeviceAddressError
from condmix.deploy.devices.fleet import FleetDevice, read_fleet

GOOD = """
[device.pi4]
address = "ssh://pi@rpi.local"
architecture = "aarch64"
python = "python3.11"
folder = "/var/tmp/condmix"
[device.desk]
address = "local"
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
