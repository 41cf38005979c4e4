"""What a device is, whatever lies between: facts, a preparation, measurements, and nothing left when asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol, cast

from condmix.deploy.measure.plan import BenchPlan
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.settings import BenchSettings
from condmix.runtime.records import read_fields

Say = Callable[[str], None]
"""Shows a stage to whoever waits."""
_NULL = type(None)


def silent(_stage: str) -> None:
    """Nobody waits."""


@dataclass(frozen=True, kw_only=True)
class DeviceFacts:
    """A device as it describes itself before anything is brought to it.

    machine: of the kernel. bits: of the interpreter, which on a 64-bit kernel may have 32.
    kernel_machine: the kernel's own word, by which emulation is told; None where it has none.
    model: of the board, in its own words. python: the interpreter that will measure.
    libc, libc_version: empty where it is not glibc. numpy: version beside that interpreter, None without.
    clock: seconds since 1970 when it was asked. folder: where it keeps what it is brought.
    """

    machine: str
    bits: int
    system: str
    kernel_machine: str | None
    model: str | None
    python: str
    python_version: tuple[int, int, int]
    implementation: str | None
    libc: str
    libc_version: str
    numpy: str | None
    free_bytes: int
    clock: float
    folder: str

    @property
    def architecture(self) -> str:
        """Of the programs that it runs: "aarch64", "armv7l", "x86_64", or the kernel's word for another."""
        name = self.machine.lower()
        if name in ("aarch64", "arm64", "armv8l", "armv7l"):
            return "aarch64" if self.bits == 64 else "armv7l"
        if name in ("x86_64", "amd64"):
            return "x86_64" if self.bits == 64 else "i686"
        return name

    @property
    def emulated(self) -> bool:
        """The kernel is one of another CPU."""
        kernel = self.kernel_machine
        return kernel is not None and (kernel in ("x86_64", "i686")) != (self.architecture in ("x86_64", "i686"))

    def sentence(self) -> str:
        """For a person: `Raspberry Pi 4, aarch64, Python 3.11.2, glibc 2.36`."""
        words = [self.model or self.system, self.architecture, "Python " + ".".join(map(str, self.python_version))]
        return ", ".join([*words, *([f"{self.libc} {self.libc_version}"] if self.libc else [])])

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {**asdict(self), "python_version": list(self.python_version)}

    @classmethod
    def from_dict(cls, data: object) -> DeviceFacts:
        """The record written by `to_dict`. Raises InvalidRecordError."""
        wanted: dict[str, type | tuple[type, ...]] = {
            "machine": str,
            "bits": int,
            "system": str,
            "kernel_machine": (str, _NULL),
            "model": (str, _NULL),
            "python": str,
            "python_version": (list, tuple),
            "implementation": (str, _NULL),
            "libc": str,
            "libc_version": str,
            "numpy": (str, _NULL),
            "free_bytes": int,
            "clock": float,
            "folder": str,
        }
        values = read_fields(data, record="DeviceFacts", fields=wanted, schema_version=None)
        values["python_version"] = tuple(cast("list[int]", values["python_version"]))
        return cls(**cast("dict[str, Any]", values))


class Device(Protocol):
    """One device. Every method raises DeviceError; whatever happens, a session leaves no half-written file."""

    @property
    def name(self) -> str:
        """Under which it is spoken of: its address, or the one that a fleet file gives it."""
        ...

    def probe(self) -> DeviceFacts | None:
        """What it is; nothing is brought to it or changed. None where it can only tell while it measures."""
        ...

    def prepare(self, engines: Sequence[str], say: Say = silent) -> None:
        """Every engine is there and has computed something small."""
        ...

    def run(
        self,
        plan: BenchPlan,
        settings: BenchSettings,
        *,
        command: Sequence[str] = (),
        say: Say = silent,
        stop: threading.Event | None = None,
    ) -> BenchReport:
        """The report of that device. When `stop` is set it ends early and keeps what it has."""
        ...

    def clean(self) -> str:
        """Nothing of condmix is left on the device; the sentence says what was removed."""
        ...

    def close(self) -> None:
        """The session has ended; what is kept for the next one stays."""
        ...


def engines_of(plan: BenchPlan) -> tuple[str, ...]:
    """Each that the plan needs, once."""
    return tuple(dict.fromkeys(subject.engine for subject in plan.subjects))
