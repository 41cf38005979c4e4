"""The fleet file: devices by name, in TOML.

[device.pi4]
address = "ssh://pi@raspberrypi.local"     # as after --device
architecture = "aarch64"                   # optional, ssh: refuse another machine under that address
python = "python3.11"                      # optional, ssh: what runs there
folder = "/var/tmp/condmix"                # optional, ssh: where packages are kept there

[device.phone]
address = "adb:R58M12ABCDE"
cores = "4-7"                              # optional, adb: fastest, slowest, all or numbers
cool_to = 35.0                             # optional, adb: °C
cool_seconds = 600                         # optional, adb: that it is waited for, at most
fixed_performance = false                  # optional, adb: do not ask for a steady clock

[device.tablet]
address = "browser"
bind = "0.0.0.0"                           # optional, browser: where its page is served
port = 8443                                # optional, browser
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from condmix.deploy.devices.address import Address, Kind, parse_address
from condmix.deploy.devices.errors import DeviceAddressError
from condmix.deploy.devices.phone_choices import NOTHING_SAID, PhoneChoices
from condmix.deploy.devices.requirements import ARCHITECTURES
from condmix.runtime.errors import InvalidSettingError
from condmix.runtime.records import unknown_name

_TEXT, _NUMBER, _WHOLE, _TRUTH = "a text", "a number", "a whole number", "true or false"
_KEYS: Mapping[str, tuple[str, tuple[Kind, ...] | None]] = {
    "address": (_TEXT, None),
    "architecture": (_TEXT, (Kind.SSH,)),
    "python": (_TEXT, (Kind.SSH,)),
    "folder": (_TEXT, (Kind.SSH,)),
    "cores": (_TEXT, (Kind.ADB,)),
    "cool_to": (_NUMBER, (Kind.ADB,)),
    "cool_seconds": (_NUMBER, (Kind.ADB,)),
    "fixed_performance": (_TRUTH, (Kind.ADB,)),
    "bind": (_TEXT, (Kind.BROWSER,)),
    "port": (_WHOLE, (Kind.BROWSER,)),
}
_SAID = {Kind.SSH: "ssh:// devices", Kind.ADB: "phones (adb)", Kind.BROWSER: "browsers"}
_LARGEST_PORT = 65535
# A name becomes a folder of the report.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, kw_only=True)
class FleetDevice:
    """One device. name: of its results.

    architecture: that a board must have, None for any.
    python, folder: on a board, None for python3 and ~/.cache/condmix-device.
    phone: how a phone is treated. bind, port: of a browser's page, None where flags decide.
    """

    name: str
    address: Address
    architecture: str | None = None
    python: str | None = None
    folder: str | None = None
    phone: PhoneChoices = NOTHING_SAID
    bind: str | None = None
    port: int | None = None


def read_fleet(path: Path) -> tuple[FleetDevice, ...]:
    """The devices in the order of the file. Raises DeviceAddressError with everything that is wrong in it."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DeviceAddressError([f"{path}: {error.strerror or error}"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DeviceAddressError([f"{path}: it is not TOML: {error}"]) from error
    except RecursionError as error:
        raise DeviceAddressError([f"{path}: its lists lie too deep within each other"]) from error
    problems = [f"{path}: {unknown_name(key, ('device',))}" for key in content if key != "device"]
    tables = content.get("device", {})
    if not isinstance(tables, dict) or not tables:
        problems.append(f"{path}: there is no device, expected tables such as [device.pi4] with an address")
        tables = {}
    devices = []
    for name, table in tables.items():
        found = _device(name, table)
        if isinstance(found, FleetDevice):
            devices.append(found)
        else:
            problems += [f"{path}: device {name!r}: {problem}" for problem in found]
    if problems:
        raise DeviceAddressError(problems)
    return tuple(devices)


def _device(name: str, table: object) -> FleetDevice | list[str]:
    if not isinstance(table, dict):
        return [f"it must be a table with an address, found {table!r}"]
    problems = [] if _NAME.fullmatch(name) else ["its name must be letters, digits, '_', '-' and '.', at most 64"]
    problems += [unknown_name(key, tuple(_KEYS)) for key in table if key not in _KEYS]
    problems += [
        f"{key!r} must be {kind}, found {table[key]!r}"
        for key, (kind, _) in _KEYS.items()
        if key in table and not _is(kind, table[key])
    ]
    if "address" not in table:
        problems.append("'address' is missing")
    if problems:
        return problems
    try:
        address = parse_address(table["address"])
    except DeviceAddressError as error:
        return list(error.problems)
    problems = _misplaced(address.kind, table)
    architecture = table.get("architecture")
    if architecture is not None and architecture not in ARCHITECTURES:
        problems.append(f"'architecture' must be one of {', '.join(ARCHITECTURES)}, found {architecture!r}")
    port = table.get("port")
    if port is not None and not 0 <= port <= _LARGEST_PORT:
        problems.append(f"'port' must be 0 to {_LARGEST_PORT}, found {port}")
    phone = NOTHING_SAID
    try:
        phone = PhoneChoices(
            cores=table.get("cores"),
            cool_to=table.get("cool_to"),
            cool_seconds=table.get("cool_seconds"),
            fixed_performance=table.get("fixed_performance"),
        )
    except InvalidSettingError as error:
        problems += error.problems
    if problems:
        return problems
    return FleetDevice(
        name=name,
        address=address,
        architecture=architecture,
        python=table.get("python"),
        folder=table.get("folder"),
        phone=phone,
        bind=table.get("bind"),
        port=port,
    )


def _misplaced(kind: Kind, table: Mapping[str, object]) -> list[str]:
    """A line for each key that devices of this kind do not know."""
    return [
        f"{key!r} is for {' and '.join(_SAID[one] for one in kinds)}"
        for key, (_, kinds) in _KEYS.items()
        if key in table and kinds is not None and kind not in kinds
    ]


def _is(kind: str, value: object) -> bool:
    if kind == _TRUTH:
        return isinstance(value, bool)
    if kind == _TEXT:
        return isinstance(value, str) and bool(value)
    return isinstance(value, int if kind == _WHOLE else (int, float)) and not isinstance(value, bool)
