"""Reading what `dumpsys battery` and `dumpsys thermalservice` print."""

from __future__ import annotations

import re
from dataclasses import dataclass

from condmix.deploy.devices.phone_facts import Battery

# Of android.os.BatteryManager.
_BATTERY_STATES = {1: "in an unknown state", 2: "charging", 3: "discharging", 4: "not charging", 5: "full"}
_PLUGS = {"AC powered": "mains", "USB powered": "USB", "Wireless powered": "wireless", "Dock powered": "dock"}
_TENTHS = 10
# Of android.os.Temperature: 6 to 8 are voltage, current and percentage of the battery's current limit.
_SKIN_TYPE = 3
_NO_TEMPERATURES = frozenset({6, 7, 8})
_TEMPERATURE = re.compile(
    r"Temperature\{mValue=(?P<value>[-\d.eE]+|NaN), mType=(?P<type>-?\d+), mName=(?P<name>[^,}]*)"
)


@dataclass(frozen=True, kw_only=True)
class Thermal:
    """temperatures_celsius: sensor -> degrees. skin: the sensors of the surface. status: 0 to 6, None if not told."""

    temperatures_celsius: dict[str, float]
    skin: tuple[str, ...]
    status: int | None


def read_battery(text: str) -> Battery | None:
    """The battery in the output of `dumpsys battery`; None when it speaks of none."""
    entries = dict(re.findall(r"^\s*([\w ]+?):\s*(\S+)\s*$", text, re.M))
    if "status" not in entries and "level" not in entries:
        return None
    level, scale = _whole(entries.get("level")), _whole(entries.get("scale")) or 100
    tenths = _whole(entries.get("temperature"))
    plugs = [name for key, name in _PLUGS.items() if entries.get(key) == "true"]
    return Battery(
        level_percent=None if level is None else round(100 * level / scale),
        state=_BATTERY_STATES.get(_whole(entries.get("status")) or 1, _BATTERY_STATES[1]),
        plugged=plugs[0] if plugs else None,
        temperature_celsius=None if tenths is None else tenths / _TENTHS,
    )


def read_thermal(text: str) -> Thermal | None:
    """The sensors in the output of `dumpsys thermalservice`, the measured ones rather than the remembered.

    None when there is neither a sensor nor a status in it.
    """
    status = re.search(r"^\s*Thermal Status:\s*(\d+)\s*$", text, re.M)
    _, _, measured = text.partition("Current temperatures from HAL:")
    remembered = text.partition("Cached temperatures:")[2].partition("HAL Ready")[0]
    found: dict[str, float] = {}
    skin = []
    # Thresholds further below are of another form, so they never match.
    for one in list(_TEMPERATURE.finditer(measured)) or list(_TEMPERATURE.finditer(remembered)):
        kind, name = int(one["type"]), one["name"].strip() or f"type {one['type']}"
        value = float(one["value"])
        if kind in _NO_TEMPERATURES or value != value:
            continue
        found[name] = value
        if kind == _SKIN_TYPE:
            skin.append(name)
    if not found and status is None:
        return None
    return Thermal(
        temperatures_celsius=found, skin=tuple(dict.fromkeys(skin)), status=None if status is None else int(status[1])
    )


def _whole(text: str | None) -> int | None:
    try:
        return None if text is None else int(text)
    except ValueError:
        return None
