"""Asking a phone what it is and how it is, in one shell script each; nothing on it is changed."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import TypeVar

from condmix.deploy.devices.adb_client import AdbClient, last_words
from condmix.deploy.devices.phone_dumpsys import read_battery, read_thermal
from condmix.deploy.devices.phone_facts import PhoneCore, PhoneFacts, PhoneState

Found = TypeVar("Found")

_KIB = 1024
_MILLI = 1000.0
_MARK = "@condmix@"
_CORES = (
    "for c in /sys/devices/system/cpu/cpu[0-9]*; do "
    'echo "${c##*/cpu}|$(cat $c/cpufreq/cpuinfo_max_freq 2>/dev/null)'
    '|$(cat $c/cpufreq/scaling_cur_freq 2>/dev/null)|$(cat $c/cpufreq/scaling_governor 2>/dev/null)"; done'
)
_ZONES = (
    'for z in /sys/class/thermal/thermal_zone*; do echo "$(cat $z/type 2>/dev/null)|$(cat $z/temp 2>/dev/null)"; done'
)
_STATE = (("battery", "dumpsys battery"), ("thermal service", "dumpsys thermalservice"), ("temperatures", _ZONES))
_PROPERTIES = {
    "manufacturer": ("ro.product.manufacturer",),
    "model": ("ro.product.model",),
    # The first is of Android 12; older ones name the board or the platform at best.
    "soc": ("ro.soc.model", "ro.board.platform", "ro.hardware"),
    "android": ("ro.build.version.release",),
    "build": ("ro.build.fingerprint",),
    "abis": ("ro.product.cpu.abilist", "ro.product.cpu.abi"),
}


class _Sections:
    """What each part of a script printed, and which of them could not be read."""

    def __init__(self, text: str) -> None:
        self.unreadable: dict[str, str] = {}
        self._found: dict[str, tuple[int, str]] = {}
        pattern = rf"^{_MARK} (.+?)\n(.*?)^{_MARK}= (\d+)$"
        for name, said, code in re.findall(pattern, text, re.S | re.M):
            self._found[name] = (int(code), said)

    def read(self, name: str, parse: Callable[[str], Found | None]) -> Found | None:
        """The parsed part, or None and the reason."""
        code, said = self._found.get(name, (1, "it was not answered"))
        if code != 0:
            self.unreadable[name] = last_words(said) or f"exit code {code}"
            return None
        try:
            found = parse(said)
        except (ValueError, IndexError):
            found = None
        if found is None:
            self.unreadable[name] = f"it does not tell any: {last_words(said)!r}"
        return found


def probe_phone(client: AdbClient, folder: PurePosixPath, *, clock: Callable[[], float] = time.time) -> PhoneFacts:
    """What the phone is; free space is that of `folder`. Raises DeviceError when the link fails."""
    asked = clock()
    names = [
        ("machine", "uname -m"),
        ("kernel", "uname -r"),
        ("free space", f"df -kP {folder} 2>/dev/null || df -k {folder}"),
        ("clock", "date +%s"),
        ("properties", "getprop"),
        ("cores", _CORES),
        *_STATE,
    ]
    sections = _ask(client, names, step="probe")
    answered = clock()
    seconds = sections.read("clock", lambda text: float(text.strip()))
    properties = sections.read("properties", _properties) or {}
    known = {key: _first(properties, names) for key, names in _PROPERTIES.items()}
    sections.unreadable.update(
        {key: f"no property {', '.join(_PROPERTIES[key])}" for key, found in known.items() if properties and not found}
    )
    return PhoneFacts(
        machine=sections.read("machine", lambda text: text.strip() or None) or "unknown",
        kernel=sections.read("kernel", lambda text: text.strip() or None),
        manufacturer=known["manufacturer"],
        model=known["model"],
        soc=known["soc"],
        android=known["android"],
        build=known["build"],
        abis=tuple((known["abis"] or "").split(",")) if known["abis"] else (),
        free_bytes=sections.read("free space", _free_bytes),
        # Half of the way there and back is the best guess for when it was read.
        clock_offset_seconds=None if seconds is None else round(seconds + 0.5 - (asked + answered) / 2, 1),
        cores=_cores(sections),
        state=_state(sections),
        unreadable=sections.unreadable,
    )


def read_state(client: AdbClient, *, step: str) -> PhoneState:
    """How the phone is now. Raises DeviceError when the link fails."""
    return _state(_ask(client, _STATE, step=step))


def _ask(client: AdbClient, parts: Sequence[tuple[str, str]], *, step: str) -> _Sections:
    script = "\n".join(f'echo "{_MARK} {name}"\n( {part} ) 2>&1\necho "{_MARK}= $?"' for name, part in parts)
    return _Sections(client.shell(script, step=step).stdout)


def _state(sections: _Sections) -> PhoneState:
    """What of it is unreadable belongs to the state alone: it is asked for again."""
    others, sections.unreadable = sections.unreadable, {}
    thermal = sections.read("thermal service", read_thermal)
    zones = sections.read("temperatures", _zones)
    temperatures = {} if thermal is None else thermal.temperatures_celsius
    battery = sections.read("battery", read_battery)
    unreadable, sections.unreadable = sections.unreadable, others
    return PhoneState(
        temperatures_celsius=temperatures or zones or {},
        skin=() if thermal is None else thermal.skin,
        thermal_status=None if thermal is None else thermal.status,
        battery=battery,
        unreadable=unreadable,
    )


def _properties(text: str) -> dict[str, str] | None:
    return dict(re.findall(r"^\[(.+?)\]: \[(.*)\]$", text, re.M)) or None


def _first(properties: Mapping[str, str], names: Sequence[str]) -> str | None:
    return next((properties[name] for name in names if properties.get(name)), None)


def _free_bytes(text: str) -> int | None:
    # A long name of a device may take a line of its own: the figures are counted from the end.
    fields = text.split("\n", 1)[1].split()
    return int(fields[-3]) * _KIB


def _cores(sections: _Sections) -> tuple[PhoneCore, ...]:
    rows = sections.read("cores", lambda text: [line.split("|") for line in text.splitlines() if line.count("|") == 3])
    cores = [
        PhoneCore(
            number=int(number),
            maximum_khz=_number(maximum),
            current_khz=_number(current),
            governor=governor.strip() or None,
        )
        for number, maximum, current, governor in rows or []
        if number.isdecimal()
    ]
    if cores and all(core.maximum_khz is None for core in cores):
        sections.unreadable["frequencies"] = "no core tells its frequency"
    return tuple(sorted(cores, key=lambda core: core.number))


def _zones(text: str) -> dict[str, float] | None:
    found: dict[str, float] = {}
    for line in text.splitlines():
        name, _, value = line.partition("|")
        degrees = _number(value)
        # Sensors of parts that sleep say something far below or above any temperature.
        if name and degrees is not None and -40 < degrees / _MILLI < 150:
            found[name] = degrees / _MILLI
    return found or None


def _number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None
