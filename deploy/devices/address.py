"""How a device is named on the command line and in a fleet file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from condmix.deploy.devices.errors import DeviceAddressError

EMULATED = ("cortex-a53", "cortex-a76", "armv7")
_FORMS = (
    "local",
    "ssh://[USER@]HOST[:PORT]",
    "adb[:SERIAL]",
    "browser",
    *(f"emulated:{cpu}" for cpu in EMULATED),
)
# A host name of ssh's own config may be any word, but must not be taken for a flag.
_SSH = re.compile(r"(?:(?P<user>[\w.][\w.-]*)@)?(?P<host>[\w][\w.-]*|\[[0-9A-Fa-f:.%\w]+\])(?::(?P<port>\d{1,5}))?/?")
_SERIAL = re.compile(r"[\w.][\w.:-]*")


class Kind(StrEnum):
    """By what a device is reached."""

    LOCAL = "local"
    SSH = "ssh"
    ADB = "adb"
    BROWSER = "browser"
    EMULATED = "emulated"


@dataclass(frozen=True, kw_only=True)
class Address:
    """One device. text: as it was given.

    user, host, port: of ssh, None where ssh's own config decides. serial: of adb, None for the only phone there is.
    cpu: of emulation, one of EMULATED.
    """

    kind: Kind
    text: str
    user: str | None = None
    host: str | None = None
    port: int | None = None
    serial: str | None = None
    cpu: str | None = None


def parse_address(text: str) -> Address:
    """The address. Raises DeviceAddressError with all forms there are."""
    word = text.strip()
    if word in ("local", "browser", "adb"):
        return Address(kind=Kind(word), text=word)
    scheme, separator, rest = word.partition(":")
    if scheme == "ssh" and rest.startswith("//") and (found := _SSH.fullmatch(rest[2:])) is not None:
        port = None if found["port"] is None else int(found["port"])
        if port is None or 0 < port < 65536:
            host = found["host"].strip("[]")
            return Address(kind=Kind.SSH, text=word.rstrip("/"), user=found["user"], host=host, port=port)
    if scheme == "adb" and separator and _SERIAL.fullmatch(rest):
        return Address(kind=Kind.ADB, text=word, serial=rest)
    if scheme == "emulated" and rest in EMULATED:
        return Address(kind=Kind.EMULATED, text=word, cpu=rest)
    problem = f"{text!r} names no device: expected {', '.join(_FORMS[:-1])} or {_FORMS[-1]}"
    raise DeviceAddressError([problem])


def parse_addresses(texts: tuple[str, ...]) -> tuple[Address, ...]:
    """All of them, each once. Raises DeviceAddressError with every problem."""
    found: list[Address] = []
    problems: list[str] = []
    for text in texts:
        try:
            found.append(parse_address(text))
        except DeviceAddressError as error:
            problems += error.problems
    names = [address.text for address in found]
    problems += [f"{name} is given twice" for name in dict.fromkeys(names) if names.count(name) > 1]
    if problems:
        raise DeviceAddressError(problems)
    return tuple(found)
