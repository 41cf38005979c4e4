"""The graph that an engine runs, in plain data that no format shines through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from condmix.runtime.audit.vocabulary import Arithmetic, Reason, Role


@dataclass(frozen=True, kw_only=True)
class AuditedNode:
    """One operator as the engine runs it.

    operator: its name in the format, with the domain where that is not the standard one.
    where: the module it came from, else the best name there is.
    inputs: the computed values it reads, no constants. outputs: the values it writes.
    time_us: of one call; None where the engine does not tell.
    delegated: a delegate runs it; None for engines without one.
    role, scale: of nodes on the boundary; equal `scale` means the same scale and zero point.
    reason, detail, advice: why it runs in float, what stands in the way, and what to do; None and empty otherwise.
    """

    operator: str
    where: str
    arithmetic: Arithmetic
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    multiply_adds: int = 0
    time_us: float | None = None
    delegated: bool | None = None
    role: Role | None = None
    scale: str | None = None
    reason: Reason | None = None
    detail: str = ""
    advice: str = ""

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {
            "operator": self.operator,
            "where": self.where,
            "arithmetic": str(self.arithmetic),
            "multiply_adds": self.multiply_adds,
            "time_us": self.time_us,
            "delegated": self.delegated,
            "role": None if self.role is None else str(self.role),
            "reason": None if self.reason is None else str(self.reason),
            "detail": self.detail,
        }


class Wiring:
    """Who writes and who reads each value of some nodes; movement can be looked through."""

    def __init__(self, nodes: Sequence[AuditedNode]) -> None:
        self.nodes = tuple(nodes)
        self.writer: Mapping[str, int] = {name: place for place, node in enumerate(nodes) for name in node.outputs}
        readers: dict[str, list[int]] = {}
        for place, node in enumerate(nodes):
            for name in dict.fromkeys(node.inputs):
                readers.setdefault(name, []).append(place)
        self.readers: Mapping[str, Sequence[int]] = readers

    def sources(self, place: int) -> dict[int, bool]:
        """The nodes from which this one gets its values: place -> whether movement lies between."""
        return self._follow(place, forward=False)

    def users(self, place: int) -> dict[int, bool]:
        """The nodes to which its values go: place -> whether movement lies between."""
        return self._follow(place, forward=True)

    def _follow(self, start: int, *, forward: bool) -> dict[int, bool]:
        found: dict[int, bool] = {}
        waiting = [(start, False)]
        seen = {start}
        while waiting:
            here, moved = waiting.pop()
            for place in self._next(here, forward=forward):
                if self.nodes[place].arithmetic is not Arithmetic.MOVEMENT:
                    found[place] = found.get(place, True) and moved
                elif place not in seen:
                    seen.add(place)
                    waiting.append((place, True))
        return found

    def _next(self, place: int, *, forward: bool) -> list[int]:
        node = self.nodes[place]
        if forward:
            return [reader for name in node.outputs for reader in self.readers.get(name, ())]
        return [self.writer[name] for name in node.inputs if name in self.writer]
