"""Forms of an address, and what is said to those that are none."""

import re

import pytest

from condmix.deploy.devices.address import Address, Kind, parse_address, parse_addresses
from condmix.deploy.devices.errors import DeviceAddressError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("local", Address(kind=Kind.LOCAL, text="local")),
        ("browser", Address(kind=Kind.BROWSER, text="browser")),
        ("adb", Address(kind=Kind.ADB, text="adb")),
        ("adb:R58M123ABC", Address(kind=Kind.ADB, text="adb:R58M123ABC", serial="R58M123ABC")),
        ("adb:192.168.0.7:5555", Address(kind=Kind.ADB, text="adb:192.168.0.7:5555", serial="192.168.0.7:5555")),
        ("ssh://board", Address(kind=Kind.SSH, text="ssh://board", host="board")),
        (
            "ssh://pi@rpi-4.local:2222",
            Address(kind=Kind.SSH, text="ssh://pi@rpi-4.local:2222", user="pi", host="rpi-4.local", port=2222),
        ),
        (
            "ssh://pi@[fe80::1]:22/",
            Address(kind=Kind.SSH, text="ssh://pi@[fe80::1]:22", user="pi", host="fe80::1", port=22),
        ),
        ("emulated:cortex-a53", Address(kind=Kind.EMULATED, text="emulated:cortex-a53", cpu="cortex-a53")),
        (" emulated:armv7 ", Address(kind=Kind.EMULATED, text="emulated:armv7", cpu="armv7")),
    ],
)
def test_forms(text: str, expected: Address):
    assert parse_address(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "locale",
        "pi@board",
        "ssh:board",
        "ssh://",
        "ssh://-oProxyCommand=x",
        "ssh://-l@board",
        "ssh://pi@board:0",
        "ssh://pi@board:65536",
        "ssh://board/folder",
        "ssh://a b",
        "adb:",
        "adb:-s",
        "emulated",
        "emulated:cortex-m4",
        "browser:chrome",
    ],
)
def test_what_is_no_address_is_told_with_all_forms(text: str):
    expected = (
        f"no device can be used:\n  - {text!r} names no device: expected local, ssh://[USER@]HOST[:PORT], "
        "adb[:SERIAL], browser, emulated:cortex-a53, emulated:cortex-a76 or emulated:armv7"
    )
    with pytest.raises(DeviceAddressError, match=f"^{re.escape(expected)}$"):
        parse_address(text)


def test_all_problems_at_once():
    with pytest.raises(DeviceAddressError) as error:
        parse_addresses(("local", "x", "local", "y"))
    assert [problem.split(" names")[0] for problem in error.value.problems] == ["'x'", "'y'", "local is given twice"]
