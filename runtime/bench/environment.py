"""The machine around a measurement, at one moment: what it is, how fast its cores may run, how warm and busy it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from condmix.runtime.bench.fields import NULL, numbers_by_name, parts, texts_by_name
from condmix.runtime.cpu import CpuFacts
from condmix.runtime.errors import InvalidRecordError
from condmix.runtime.records import read_fields

_RECORD = "Environment"


@dataclass(frozen=True, kw_only=True)
class Core:
    """One logical core; None where the system does not tell."""

    number: int
    governor: str | None
    maximum_khz: int | None
    current_khz: int | None

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {
            "number": self.number,
            "governor": self.governor,
            "maximum_khz": self.maximum_khz,
            "current_khz": self.current_khz,
        }

    @classmethod
    def from_dict(cls, data: object) -> Core:
        """The record written by `to_dict`. Raises InvalidRecordError."""
        wanted: dict[str, type | tuple[type, ...]] = {
            "number": int,
            "governor": (str, NULL),
            "maximum_khz": (int, NULL),
            "current_khz": (int, NULL),
        }
        return cls(**cast("dict[str, Any]", read_fields(data, record="Core", fields=wanted, schema_version=None)))


@dataclass(frozen=True, kw_only=True)
class Environment:
    """One machine at one moment; None and empty where `unreadable` says why.

    cpu: names, features, cores and package versions (runtime/cpu.py).
    temperatures_celsius: thermal zone -> degrees.
    load_average: runnable processes over 1, 5 and 15 minutes.
    stolen_seconds: CPU time that the hypervisor gave to others since the machine started, all cores together.
    throttled_periods, throttled_seconds: times, and how long, the cgroup's CPU quota stopped this group so far.
    cpu_quota_cores: the CPU time that the cgroup may use a second; None without a quota.
    hypervisor: the CPU says that it is a virtual one. emulated: the process runs on a CPU of another kind.
    power: the source in words ("mains", "battery discharging, 80 %").
    unreadable: what could not be read -> why.
    """

    cpu: CpuFacts
    cores: tuple[Core, ...]
    temperatures_celsius: Mapping[str, float]
    load_average: tuple[float, float, float] | None
    memory_total_bytes: int | None
    memory_available_bytes: int | None
    stolen_seconds: float | None
    throttled_periods: int | None
    throttled_seconds: float | None
    cpu_quota_cores: float | None
    hypervisor: bool | None
    emulated: bool | None
    power: str | None
    unreadable: Mapping[str, str]

    def machine(self) -> str | None:
        """The words for a first line when the machine is not this process's own; else None."""
        words = []
        if self.hypervisor:
            words.append("on a virtual machine, which may share its cores")
        if self.cpu_quota_cores is not None:
            words.append(f"with a quota of {self.cpu_quota_cores:g} cores")
        return "measured " + " and ".join(words) if words else None

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {
            "cpu": self.cpu.to_dict(),
            "cores": [core.to_dict() for core in self.cores],
            "temperatures_celsius": dict(self.temperatures_celsius),
            "load_average": None if self.load_average is None else list(self.load_average),
            "memory_total_bytes": self.memory_total_bytes,
            "memory_available_bytes": self.memory_available_bytes,
            "stolen_seconds": self.stolen_seconds,
            "throttled_periods": self.throttled_periods,
            "throttled_seconds": self.throttled_seconds,
            "cpu_quota_cores": self.cpu_quota_cores,
            "hypervisor": self.hypervisor,
            "emulated": self.emulated,
            "power": self.power,
            "unreadable": dict(self.unreadable),
        }

    @classmethod
    def from_dict(cls, data: object) -> Environment:
        """The record written by `to_dict`. Raises InvalidRecordError or InvalidSettingError."""
        wanted: dict[str, type | tuple[type, ...]] = {
            "cpu": dict,
            "cores": (list, tuple),
            "temperatures_celsius": dict,
            "load_average": (list, tuple, NULL),
            "memory_total_bytes": (int, NULL),
            "memory_available_bytes": (int, NULL),
            "stolen_seconds": (float, NULL),
            "throttled_periods": (int, NULL),
            "throttled_seconds": (float, NULL),
            "cpu_quota_cores": (float, NULL),
            "hypervisor": (bool, NULL),
            "emulated": (bool, NULL),
            "power": (str, NULL),
            "unreadable": dict,
        }
        values = read_fields(data, record=_RECORD, fields=wanted, schema_version=None)
        values["cpu"] = CpuFacts.from_dict(values["cpu"])
        values["cores"] = parts(values, "cores", Core.from_dict)
        values["temperatures_celsius"] = numbers_by_name(values, "temperatures_celsius", record=_RECORD)
        values["unreadable"] = texts_by_name(values, "unreadable", record=_RECORD)
        load = cast("list[float] | None", values["load_average"])
        if load is not None:
            if len(load) != 3 or any(isinstance(one, bool) or not isinstance(one, int | float) for one in load):
                raise InvalidRecordError([f"'load_average' must be three numbers, found {load!r}"], record=_RECORD)
            values["load_average"] = tuple(map(float, load))
        return cls(**cast("dict[str, Any]", values))
