"""The record of an audit: every node, what follows from them, and the verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from condmix.runtime.artifact import Format
from condmix.runtime.audit.islands import FloatIsland, float_islands
from condmix.runtime.audit.nodes import AuditedNode
from condmix.runtime.audit.round_trips import round_trips
from condmix.runtime.audit.vocabulary import IN_INT8, IN_INTEGERS, Arithmetic, Role, RoundTrip
from condmix.runtime.errors import InvalidSettingError

SCHEMA_VERSION = 1
KIND = "condmix-audit"
EIGHT_BITS_OR_LESS = ("int8", "uint8", "int4", "uint4", "int2", "uint2")


@dataclass(frozen=True, kw_only=True)
class OperatorTotal:
    """All nodes of one operator in one arithmetic."""

    operator: str
    arithmetic: Arithmetic
    number: int
    multiply_adds: int
    time_us: float | None

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {**asdict(self), "arithmetic": str(self.arithmetic)}


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What an engine runs of a file, for one call with the inputs of `input_shapes`.

    nodes: of the graph as the engine runs it, in running order.
    file_bytes, session_bytes: dtype -> bytes of the constants as the file stores them, and as the engine holds them
        after its optimisation; None where it does not tell.
    runs: timed calls behind the times of the nodes, 0 where the engine tells none.
    notes: what was not counted, and what the reader must know.
    """

    file: Path
    format: Format
    engine: str
    engine_version: str
    threads: int
    runs: int
    input_shapes: Mapping[str, tuple[int, ...]]
    nodes: tuple[AuditedNode, ...]
    file_bytes: Mapping[str, int]
    session_bytes: Mapping[str, int] | None
    notes: tuple[str, ...]

    def __post_init__(self) -> None:
        timed = [node for node in self.nodes if node.time_us is not None]
        problems = []
        if self.threads < 1:
            problems.append(f"threads must be at least 1, found {self.threads}")
        if timed and len(timed) != len(self.nodes):
            problems.append(f"{len(timed)} of {len(self.nodes)} nodes have a time: all must, or none")
        if bool(timed) != (self.runs > 0) and self.nodes:
            problems.append(f"{len(timed)} nodes have a time after {self.runs} runs")
        if problems:
            raise InvalidSettingError(problems, record="Audit")

    @cached_property
    def islands(self) -> tuple[FloatIsland, ...]:
        """All parts that run in float, most multiply-adds first."""
        return float_islands(self.nodes)

    @cached_property
    def round_trips(self) -> Mapping[RoundTrip, int]:
        """How often each kind occurs."""
        return round_trips(self.nodes)

    @property
    def multiplying_islands(self) -> tuple[FloatIsland, ...]:
        """Those that hold multiply-adds."""
        return tuple(island for island in self.islands if island.multiply_adds)

    @property
    def multiply_adds(self) -> int:
        """Of all nodes, for one call."""
        return sum(node.multiply_adds for node in self.nodes)

    def share_of_multiply_adds(self, *kinds: Arithmetic) -> float | None:
        """Between 0 and 1, of these kinds together; None without any multiply-adds."""
        chosen = sum(node.multiply_adds for node in self.nodes if node.arithmetic in kinds)
        return chosen / self.multiply_adds if self.multiply_adds else None

    def share_of_time(self, *kinds: Arithmetic) -> float | None:
        """Between 0 and 1, of these kinds together; None where nothing was timed."""
        return self._share_of_time([node for node in self.nodes if node.arithmetic in kinds])

    @property
    def int8_share(self) -> float | None:
        """The share of multiply-adds that runs in int8, with scales known beforehand or not."""
        return self.share_of_multiply_adds(*IN_INT8)

    @property
    def boundary_nodes(self) -> int:
        """Quantisations and dequantisations left in the graph that runs."""
        return sum(node.role is not None for node in self.nodes)

    @property
    def constant_dequantizers(self) -> int:
        """Dequantisations of constants among them."""
        return sum(node.role is Role.DEQUANTIZE and not node.inputs for node in self.nodes)

    @property
    def operators(self) -> tuple[OperatorTotal, ...]:
        """What each operator does in all, the longest time first, then the most multiply-adds, then by name."""
        groups: dict[tuple[str, Arithmetic], list[AuditedNode]] = {}
        for node in self.nodes:
            groups.setdefault((node.operator, node.arithmetic), []).append(node)
        totals = [
            OperatorTotal(
                operator=operator,
                arithmetic=arithmetic,
                number=len(nodes),
                multiply_adds=sum(node.multiply_adds for node in nodes),
                time_us=sum(node.time_us or 0.0 for node in nodes) if self.runs else None,
            )
            for (operator, arithmetic), nodes in groups.items()
        ]
        return tuple(sorted(totals, key=lambda one: (-(one.time_us or 0.0), -one.multiply_adds, one.operator)))

    @property
    def outside_delegate(self) -> tuple[tuple[str, int], ...]:
        """(operator, number) of integer operators that the delegate leaves, most frequent first."""
        left = Counter(
            node.operator for node in self.nodes if node.delegated is False and node.arithmetic in IN_INTEGERS
        )
        return tuple(sorted(left.items(), key=lambda item: (-item[1], item[0])))

    def verdict(self) -> str:
        """What is true of the file, in one line."""
        share, islands = self.int8_share, len(self.multiplying_islands)
        if share is None:
            return "nothing was found that multiplies and adds: no share can be told"
        wide = self.share_of_multiply_adds(Arithmetic.INT16) or 0.0
        held = f"{islands} float island{'' if islands == 1 else 's'}"
        if share == 0:
            rest = f"{percent(wide)} run in int16, {held}" if wide else "all of them run in float"
            return f"nothing runs in int8: of {self.multiply_adds:,} multiply-adds {rest}"
        text = f"{percent(share)} of multiply-adds run in int8"
        if wide:
            text += f", {percent(wide)} in int16"
        fly = self.share_of_multiply_adds(Arithmetic.INT8_ON_THE_FLY) or 0.0
        if fly:
            text += f" ({percent(fly)} with inputs quantised anew at each run)"
        return f"{text}; {held}"

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON, with `schema_version`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": KIND,
            "file": str(self.file),
            "format": str(self.format),
            "engine": self.engine,
            "engine_version": self.engine_version,
            "threads": self.threads,
            "runs": self.runs,
            "input_shapes": {name: list(shape) for name, shape in self.input_shapes.items()},
            "verdict": self.verdict(),
            "multiply_adds": self.multiply_adds,
            "int8_share": self.int8_share,
            "shares_of_multiply_adds": {str(kind): self.share_of_multiply_adds(kind) for kind in Arithmetic},
            "shares_of_time": {str(kind): self.share_of_time(kind) for kind in Arithmetic} if self.runs else None,
            "islands": [island.to_dict() for island in self.islands],
            "round_trips": {kind.name.lower(): number for kind, number in self.round_trips.items()},
            "boundary_nodes": self.boundary_nodes,
            "constant_dequantizers": self.constant_dequantizers,
            "operators": [total.to_dict() for total in self.operators],
            "outside_delegate": dict(self.outside_delegate),
            "file_bytes": dict(self.file_bytes),
            "file_int8_share": int8_share_of_bytes(self.file_bytes),
            "session_bytes": None if self.session_bytes is None else dict(self.session_bytes),
            "session_int8_share": None if self.session_bytes is None else int8_share_of_bytes(self.session_bytes),
            "notes": list(self.notes),
            "nodes": [node.to_dict() for node in self.nodes],
        }

    def _share_of_time(self, chosen: Sequence[AuditedNode]) -> float | None:
        total = sum(node.time_us or 0.0 for node in self.nodes)
        return sum(node.time_us or 0.0 for node in chosen) / total if total else None


def uncounted_notes(uncounted: Mapping[str, int]) -> tuple[str, ...]:
    """What to tell of operators, name -> number, whose multiply-adds are in no sum."""
    if not uncounted:
        return ()
    listed = ", ".join(f"{operator} x{number}" for operator, number in sorted(uncounted.items()))
    return (f"the multiply-adds of these operators are not counted: {listed}",)


def int8_share_of_bytes(size_bytes: Mapping[str, int]) -> float | None:
    """The share of 8 bits or less among the bytes of some constants; None without any."""
    total = sum(size_bytes.values())
    return sum(size_bytes.get(dtype, 0) for dtype in EIGHT_BITS_OR_LESS) / total if total else None


def percent(share: float) -> str:
    """A share in words; never rounded to all or nothing when it is neither."""
    if 0 < share < 0.001:
        return "less than 0.1 %"
    if 0.999 < share < 1:
        return "more than 99.9 %"
    return f"{100 * share:.1f} %"
