"""Reading the machine from /proc and /sys, under a root that a test may lay out; nothing is started or changed."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from condmix.runtime.bench.environment import Core, Environment
from condmix.runtime.cpu import read_cpu_facts

Found = TypeVar("Found")

_MILLI = 1000.0
_KIB = 1024
_STEAL_FIELD = 8  # of the line "cpu" of /proc/stat, its name counted as 0
# A kernel runs the older instruction set of its own architecture itself: that is no emulation.
_FAMILIES = (
    frozenset({"x86_64", "amd64", "i386", "i686"}),
    frozenset({"aarch64", "arm64", "armv8l", "armv7l", "armv6l", "arm"}),
)
_VIRTUAL_VENDORS = (
    "qemu",
    "kvm",
    "vmware",
    "virtualbox",
    "innotek",
    "xen",
    "bochs",
    "amazon ec2",
    "google",
    "parallels",
)
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def read_environment(root: Path = Path("/")) -> Environment:
    """The machine now; whatever cannot be read is listed with the reason, in the words of the system."""
    reader = _Reader(root)
    architecture = platform.machine()
    throttled = reader.throttled()
    return Environment(
        cpu=read_cpu_facts(root / "proc/cpuinfo"),
        cores=reader.cores(),
        temperatures_celsius=reader.temperatures_celsius(),
        load_average=reader.read("load average", "proc/loadavg", _load_average),
        memory_total_bytes=reader.read("memory", "proc/meminfo", lambda text: _meminfo(text, "MemTotal")),
        memory_available_bytes=reader.read("memory", "proc/meminfo", lambda text: _meminfo(text, "MemAvailable")),
        stolen_seconds=reader.read("stolen time", "proc/stat", _stolen_seconds),
        throttled_periods=throttled[0],
        throttled_seconds=throttled[1],
        cpu_quota_cores=reader.quota_cores(),
        hypervisor=reader.hypervisor(),
        emulated=reader.read(
            "emulation", "proc/sys/kernel/arch", lambda text: not _same_family(text.strip(), architecture)
        ),
        power=reader.power(),
        unreadable=reader.unreadable,
    )


class _Reader:
    """Files below a root, and why some could not be read."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.unreadable: dict[str, str] = {}

    def read(self, what: str, path: str, parse: Callable[[str], Found]) -> Found | None:
        """The parsed text of a file, or None and the reason."""
        try:
            return parse((self._root / path).read_text(encoding="utf-8", errors="replace"))
        except OSError as error:
            self.unreadable[what] = f"/{path}: {(error.strerror or type(error).__name__).lower()}"
        except (ValueError, IndexError, KeyError):
            self.unreadable[what] = f"/{path}: not in the form that is known"
        return None

    def quietly(self, path: str) -> str | None:
        """The text of a file that need not be there."""
        try:
            return (self._root / path).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return None

    def entries(self, what: str, folder: str, pattern: str) -> list[str]:
        """The paths below the root that fit, in order of their numbers; none and the reason without any."""
        try:
            names = [name for name in os.listdir(self._root / folder) if re.fullmatch(pattern, name)]  # noqa: PTH208
        except OSError as error:
            self.unreadable[what] = f"/{folder}: {(error.strerror or type(error).__name__).lower()}"
            return []
        if not names:
            self.unreadable[what] = f"/{folder}: there is none"
        return [f"{folder}/{name}" for name in sorted(names, key=_natural)]

    def cores(self) -> tuple[Core, ...]:
        """Governor and frequencies of every core that the system lists."""
        found = []
        for path in self.entries("cores", "sys/devices/system/cpu", r"cpu\d+"):
            number = int(path.rpartition("cpu")[2])
            folder = f"{path}/cpufreq"
            if not (self._root / folder).is_dir():
                self.unreadable["governors and frequencies"] = f"/{folder}: there is none"
                found.append(Core(number=number, governor=None, maximum_khz=None, current_khz=None))
                continue
            found.append(
                Core(
                    number=number,
                    governor=self.read(f"governor of core {number}", f"{folder}/scaling_governor", str.strip),
                    maximum_khz=self.read(f"maximum frequency of core {number}", f"{folder}/cpuinfo_max_freq", int),
                    current_khz=self.read(f"frequency of core {number}", f"{folder}/scaling_cur_freq", int),
                )
            )
        return tuple(found)

    def temperatures_celsius(self) -> dict[str, float]:
        """By the name of the zone, with its number where two have one name."""
        found: dict[str, float] = {}
        for path in self.entries("temperatures", "sys/class/thermal", r"thermal_zone\d+"):
            zone = path.rpartition("/")[2]
            name = self.quietly(f"{path}/type") or zone
            degrees = self.read(f"temperature of {name}", f"{path}/temp", lambda text: int(text) / _MILLI)
            if degrees is not None:
                found[name if name not in found else f"{name} ({zone})"] = degrees
        return found

    def throttled(self) -> tuple[int | None, float | None]:
        """(periods, seconds) that the cgroup was stopped by its quota; version 2 counts microseconds, 1 nanoseconds."""
        for path, key, unit in (
            (self._group("cpu.stat"), "throttled_usec", 1e6),
            (self._group_1(), "throttled_time", 1e9),
        ):
            text = self.quietly(path)
            if text is None:
                continue
            numbers = dict(re.findall(r"^(\w+) (\d+)$", text, re.M))
            if "nr_throttled" in numbers and key in numbers:
                return int(numbers["nr_throttled"]), int(numbers[key]) / unit
        self.unreadable["throttling"] = f"/{self._group('cpu.stat')}: it is not there or does not count it"
        return None, None

    def quota_cores(self) -> float | None:
        """None without a quota; that the files are missing is told by the throttling already."""
        maximum = (self.quietly(self._group("cpu.max")) or "").split()
        if len(maximum) == 2 and maximum[0].isdigit() and int(maximum[1]):
            return int(maximum[0]) / int(maximum[1])
        folder = self._group_1().rpartition("/")[0]
        quota, period = (self.quietly(f"{folder}/cpu.cfs_{name}_us") or "" for name in ("quota", "period"))
        if quota.isdigit() and period.isdigit() and int(period):  # -1: no quota
            return int(quota) / int(period)
        return None

    def hypervisor(self) -> bool | None:
        """From the CPU's own flag, what the kernel lists, or the maker of the board."""
        cpuinfo = self.quietly("proc/cpuinfo")
        if cpuinfo is not None and re.search(r"^flags\s*:.*\bhypervisor\b", cpuinfo, re.M):
            return True
        if self.quietly("sys/hypervisor/type") or self.quietly("proc/device-tree/hypervisor/compatible"):
            return True
        vendor = " ".join(
            (self.quietly(f"sys/class/dmi/id/{name}") or "").lower() for name in ("sys_vendor", "product_name")
        )
        if any(name in vendor for name in _VIRTUAL_VENDORS):
            return True
        if cpuinfo is None:
            self.unreadable["hypervisor"] = "/proc/cpuinfo: not readable"
            return None
        return False

    def power(self) -> str | None:
        """The mains, or the battery with its state."""
        supplies = self.entries("power source", "sys/class/power_supply", r".+")
        kinds = {path: self.quietly(f"{path}/type") for path in supplies}
        words = []
        if any(self.quietly(f"{path}/online") == "1" for path, kind in kinds.items() if kind in ("Mains", "USB")):
            words.append("mains")
        for path, kind in kinds.items():
            if kind == "Battery":
                state = (self.quietly(f"{path}/status") or "in an unknown state").lower()
                charge = self.quietly(f"{path}/capacity")
                words.append(f"battery {state}" + (f", {charge} %" if charge else ""))
        if supplies and not words:
            self.unreadable["power source"] = "/sys/class/power_supply: it does not say"
        return "; ".join(words) or None

    def _group(self, name: str) -> str:
        """The file of this process's own cgroup of version 2, or of the root that a container sees."""
        own = re.search(r"^0::(/.*)$", self.quietly("proc/self/cgroup") or "", re.M)
        for base in ("sys/fs/cgroup", "sys/fs/cgroup/unified"):
            for group in (own[1] if own else "/", "/"):
                path = f"{base}{group.rstrip('/')}/{name}"
                if (self._root / path).is_file():
                    return path
        return f"sys/fs/cgroup/{name}"

    def _group_1(self) -> str:
        own = re.search(r"^\d+:(?:\w+,)*cpu(?:,\w+)*:(/.*)$", self.quietly("proc/self/cgroup") or "", re.M)
        for group in (own[1] if own else "/", "/"):
            path = f"sys/fs/cgroup/cpu{group.rstrip('/')}/cpu.stat"
            if (self._root / path).is_file():
                return path
        return "sys/fs/cgroup/cpu/cpu.stat"


def _load_average(text: str) -> tuple[float, float, float]:
    one, five, fifteen = map(float, text.split()[:3])
    return one, five, fifteen


def _meminfo(text: str, name: str) -> int:
    entries = dict(re.findall(r"^(\w+):\s+(\d+) kB$", text, re.M))
    return int(entries[name]) * _KIB


def _stolen_seconds(text: str) -> float:
    fields = next(line for line in text.splitlines() if line.startswith("cpu ")).split()
    return int(fields[_STEAL_FIELD]) / _TICKS_PER_SECOND


def _same_family(kernel: str, process: str) -> bool:
    return kernel == process or any(kernel in family and process.lower() in family for family in _FAMILIES)


def _natural(name: str) -> tuple[str, int]:
    found = re.fullmatch(r"(.*?)(\d*)", name)
    assert found is not None
    return found[1], int(found[2] or 0)
