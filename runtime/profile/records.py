"""The profile of one file, as data that a report renders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from condmix.runtime.errors import InvalidSettingError
from condmix.runtime.profile.special import Row

SCHEMA_VERSION = 1
KIND = "condmix-profile"
UNATTRIBUTED = ""
"""The module of what no module could be given."""


class Method(StrEnum):
    """Where the times come from."""

    ENGINE = "engine profile"  # the engine timed its own operators
    PREFIXES = "prefix timing"  # models cut at module boundaries were timed, and the differences taken


class Bound(StrEnum):
    """What limits a module on this machine, after the roofline model (Williams, Waterman and Patterson, 2009)."""

    COMPUTE = "compute"
    MEMORY = "memory"


@dataclass(frozen=True, kw_only=True)
class Rate:
    """Something a second that this machine reached. how: what was run to find it."""

    per_second: float
    how: str


@dataclass(frozen=True, kw_only=True)
class Roof:
    """What one engine and this machine can do on some threads, measured.

    int8_multiply_adds: None where the engine could not be timed in int8.
    """

    float_multiply_adds: Rate
    int8_multiply_adds: Rate | None
    bandwidth: Rate


@dataclass(frozen=True, kw_only=True)
class OperatorTime:
    """All nodes of one operator."""

    operator: str
    nodes: int
    time_us: float
    multiply_adds: int


@dataclass(frozen=True, kw_only=True)
class ModuleTime:
    """One module of the PyTorch network; the empty name stands for what no module could be given.

    size_bytes: what its operators read and write, each operand once.
    bound: None without multiply-adds. kind: the construct, else what does most of its work.
    """

    module: str
    time_us: float
    multiply_adds: int
    size_bytes: int
    bound: Bound | None
    kind: str

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {
            "module": self.module,
            "time_us": self.time_us,
            "multiply_adds": self.multiply_adds,
            "bytes": self.size_bytes,
            "bound": None if self.bound is None else str(self.bound),
            "kind": self.kind,
        }


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Where the time of a call goes. A run of its own: profiling lengthens a call, so no figure here is a latency.

    runs: profiled calls. total_us: of all operators of a call while it was profiled.
    modules: in running order. special: the same time cut another way.
    operators, special: empty where only whole modules were timed.
    roof: of which `peak` is the arithmetic that does most of the multiply-adds.
    """

    engine: str
    method: Method
    runs: int
    threads: int
    total_us: float
    operators: tuple[OperatorTime, ...]
    modules: tuple[ModuleTime, ...]
    special: Mapping[Row, float]
    delegate_coverage: Mapping[str, object] | None
    peak: Rate
    roof: Roof
    notes: tuple[str, ...]

    def __post_init__(self) -> None:
        problems = [
            f"{name} must be at least 1, found {value}"
            for name, value in (("runs", self.runs), ("threads", self.threads))
            if value < 1
        ]
        if not self.total_us > 0:
            problems.append(f"total_us must be above 0, found {self.total_us}")
        if problems:
            raise InvalidSettingError(problems, record="Profile")

    @property
    def unattributed_share(self) -> float:
        """Between 0 and 1: the time that no module could be given."""
        return sum(one.time_us for one in self.modules if one.module == UNATTRIBUTED) / self.total_us

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON, with `schema_version`."""
        int8 = self.roof.int8_multiply_adds
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": KIND,
            "engine": self.engine,
            "method": str(self.method),
            "runs": self.runs,
            "threads": self.threads,
            "total_us": self.total_us,
            "unattributed_share": self.unattributed_share,
            "operators": [asdict(one) for one in self.operators],
            "modules": [one.to_dict() for one in self.modules],
            "special": [{"row": str(row), "time_us": time_us} for row, time_us in self.special.items()],
            "delegate_coverage": None if self.delegate_coverage is None else dict(self.delegate_coverage),
            "peak": _multiply_adds(self.peak),
            "peaks": {
                "float32": _multiply_adds(self.roof.float_multiply_adds),
                "int8": None if int8 is None else _multiply_adds(int8),
            },
            "bandwidth": {"bytes_per_second": self.roof.bandwidth.per_second, "how": self.roof.bandwidth.how},
            "notes": list(self.notes),
        }


def _multiply_adds(rate: Rate) -> dict[str, object]:
    return {"multiply_adds_per_second": rate.per_second, "how": rate.how}
