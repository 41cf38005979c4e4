"""A phone as Android describes it: identity, cores, temperatures, battery; what it does not tell is listed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

# Of android.os.PowerManager.
THERMAL_STATUS = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
_MOST_CLOCK_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True)
class PhoneCore:
    """One core. maximum_khz: that its kind is made for; None where the kernel does not tell."""

    number: int
    maximum_khz: int | None
    current_khz: int | None
    governor: str | None


@dataclass(frozen=True, kw_only=True)
class Battery:
    """level_percent: of the charge. state: "charging", "full" ... plugged: "USB", "mains", "wireless", or None."""

    level_percent: int | None
    state: str
    plugged: str | None
    temperature_celsius: float | None

    def words(self) -> str:
        """As the reports of other machines say it: `USB; battery charging, 80 %`."""
        charge = "" if self.level_percent is None else f", {self.level_percent} %"
        return ("" if self.plugged is None else f"{self.plugged}; ") + f"battery {self.state}{charge}"


@dataclass(frozen=True, kw_only=True)
class PhoneState:
    """What changes while a phone works.

    temperatures_celsius: sensor -> degrees, as the thermal service or the kernel names it. skin: those of the surface.
    thermal_status: 0 to 6, see THERMAL_STATUS; None where there is no thermal service.
    """

    temperatures_celsius: Mapping[str, float]
    skin: tuple[str, ...]
    thermal_status: int | None
    battery: Battery | None
    unreadable: Mapping[str, str]

    def warmth(self) -> tuple[str, float] | None:
        """(sensor, degrees) that cooling is judged by: the skin, else the battery, else the warmest there is."""
        temperatures = self.temperatures_celsius
        skin = {name: temperatures[name] for name in self.skin}
        if not skin and self.battery is not None and self.battery.temperature_celsius is not None:
            return "battery", self.battery.temperature_celsius
        found = skin or temperatures
        if not found:
            return None
        name = max(found, key=lambda one: found[one])
        return name, found[name]

    def status_words(self) -> str | None:
        """The thermal status by name."""
        if self.thermal_status is None:
            return None
        known = 0 <= self.thermal_status < len(THERMAL_STATUS)
        return THERMAL_STATUS[self.thermal_status] if known else f"unknown status {self.thermal_status}"

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {
            "temperatures_celsius": dict(self.temperatures_celsius),
            "thermal_status": self.thermal_status,
            "thermal_status_words": self.status_words(),
            "battery": None if self.battery is None else asdict(self.battery),
            "unreadable": dict(self.unreadable),
        }


@dataclass(frozen=True, kw_only=True)
class PhoneFacts:
    """One phone, before anything is brought to it. No serial number is in it: reports are passed on.

    machine: of the kernel. abis: that its programs may have, the preferred one first.
    clock_offset_seconds: how far its clock is ahead of this machine's.
    """

    machine: str
    kernel: str | None
    manufacturer: str | None
    model: str | None
    soc: str | None
    android: str | None
    build: str | None
    abis: tuple[str, ...]
    free_bytes: int | None
    clock_offset_seconds: float | None
    cores: tuple[PhoneCore, ...]
    state: PhoneState
    unreadable: Mapping[str, str]

    @property
    def clock_is_wrong(self) -> bool:
        """So far off that a date of the phone would mislead."""
        return self.clock_offset_seconds is not None and abs(self.clock_offset_seconds) > _MOST_CLOCK_SECONDS

    def sentence(self) -> str:
        """For a person: `Google Pixel 7, Tensor G2, Android 14, aarch64`."""
        name = " ".join(one for one in (self.manufacturer, self.model) if one) or "a device without a name"
        android = None if self.android is None else f"Android {self.android}"
        return ", ".join(one for one in (name, self.soc, android, self.machine) if one)

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON, without the state, which has a time."""
        return {
            "machine": self.machine,
            "kernel": self.kernel,
            "manufacturer": self.manufacturer,
            "model": self.model,
            "soc": self.soc,
            "android": self.android,
            "build": self.build,
            "abis": list(self.abis),
            "free_bytes": self.free_bytes,
            "clock_offset_seconds": self.clock_offset_seconds,
            "cores": [asdict(core) for core in self.cores],
            "unreadable": dict(self.unreadable),
        }
