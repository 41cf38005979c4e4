"""Float islands: the largest connected parts of a graph whose operators all run in float."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from condmix.runtime.audit.nodes import AuditedNode, Wiring
from condmix.runtime.audit.vocabulary import Arithmetic, Reason


@dataclass(frozen=True, kw_only=True)
class FloatIsland:
    """Float operators that hand values to each other; integers, boundaries and the ends of the graph lie around it.

    where: the modules of its operators that multiply, else of all; each once, in running order.
    operators: name -> number, in running order.
    reason, detail, advice: of the operator with the most multiply-adds, the first of equals.
    """

    where: tuple[str, ...]
    operators: tuple[tuple[str, int], ...]
    multiply_adds: int
    time_us: float | None
    reason: Reason
    detail: str
    advice: str

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {
            "where": list(self.where),
            "operators": dict(self.operators),
            "multiply_adds": self.multiply_adds,
            "time_us": self.time_us,
            "reason": str(self.reason),
            "detail": self.detail,
            "advice": self.advice,
        }


def float_islands(nodes: Sequence[AuditedNode]) -> tuple[FloatIsland, ...]:
    """All of them: most multiply-adds first, then in running order. Movement joins what lies on both its sides."""
    wiring = Wiring(nodes)
    home: dict[int, int] = {}
    for start, node in enumerate(nodes):
        if node.arithmetic is not Arithmetic.FLOAT or start in home:
            continue
        waiting = [start]
        home[start] = start
        while waiting:
            here = waiting.pop()
            for place in (*wiring.sources(here), *wiring.users(here)):
                if nodes[place].arithmetic is Arithmetic.FLOAT and place not in home:
                    home[place] = start
                    waiting.append(place)
    members: dict[int, list[AuditedNode]] = {}
    for place in sorted(home):
        members.setdefault(home[place], []).append(nodes[place])
    return tuple(sorted(map(_island, members.values()), key=lambda island: -island.multiply_adds))


def _island(members: Sequence[AuditedNode]) -> FloatIsland:
    lead = max(members, key=lambda node: node.multiply_adds)
    multiplying = [node for node in members if node.multiply_adds]
    times = [node.time_us for node in members if node.time_us is not None]
    return FloatIsland(
        where=tuple(dict.fromkeys(node.where for node in multiplying or members)),
        operators=tuple(Counter(node.operator for node in members).items()),
        multiply_adds=sum(node.multiply_adds for node in members),
        time_us=sum(times) if times else None,
        reason=lead.reason or Reason.NOT_QUANTIZED,
        detail=lead.detail,
        advice=lead.advice,
    )
