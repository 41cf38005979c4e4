"""The fleet file: devices by name, in TOML.

[device.pi4]
address = "ssh://pi@raspberrypi.local"     # as after --device
architecture = "aarch64"                   # optional: refuse another machine under that address
python = "python3.11"                      # optional, ssh: what runs there
folder = "/var/tmp/condmix"                # optional, ssh: where packages are kept there
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from condmix.deploy.devices.address import Address, Kind, parse_address
from condmix.deploy.devices.errors import DeviceAddressError
from condmix.deploy.devices.requirements import ARCHITECTURES
from condmix.runtime.records import unknown_name

_KEYS = ("address", "architecture", "python", "folder")
_SSH_ONLY = ("python", "folder")
# A name becomes a folder of the report.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, kw_only=True)
class FleetDevice:
    """One device. name: of its results. architecture: that it must have, None for any.

    python, folder: on a board, None for python3 and ~/.cache/condmix-device.
    """

    name: str
    address: Address
    architecture: str | None = None
    python: str | None = None
    folder: str | None = None


def read_fleet(path: Path) -> tuple[FleetDevice, ...]:
    """The devices in the order of the file. Raises DeviceAddressError with everything that is wrong in it."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DeviceAddressError([f"{path}: {error.strerror or error}"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DeviceAddressError([f"{path}: it is not TOML: {error}"]) from error
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
    problems += [unknown_name(key, _KEYS) for key in table if key not in _KEYS]
    problems += [
        f"{key!r} must be a text, found {table[key]!r}"
        for key in _KEYS
        if key in table and not (isinstance(table[key], str) and table[key])
    ]
    if "address" not in table:
        problems.append("'address' is missing")
    if problems:
        return problems
    try:
        address = parse_address(table["address"])
    except DeviceAddressError as error:
        return list(error.problems)
    if address.kind is not Kind.SSH:
        problems += [f"{key!r} is for ssh:// devices" for key in _SSH_ONLY if key in table]
    architecture = table.get("architecture")
    if architecture is not None and architecture not in ARCHITECTURES:
        problems.append(f"'architecture' must be one of {', '.join(ARCHITECTURES)}, found {architecture!r}")
    if problems:
        return problems
    return FleetDevice(
        name=name,
        address=address,
        architecture=architecture,
        python=table.get("python"),
        folder=table.get("folder"),
    )
