"""How much of a TFLite graph the XNNPACK delegate computes, counted from the graph that the engine holds.

The engine lists the operators of the file and behind them one node for each partition of the delegate, which
names only what the partition takes and gives. What a partition holds is found by walking back from what it gives
to what it takes. (So an operator whose result nobody reads counts as not delegated.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from condmix.runtime.errors import ComparisonImpossibleError, InvalidSettingError
from condmix.runtime.litert_session import GraphNode

SCHEMA_VERSION = 1
DELEGATE = "XNNPACK"


class InspectableSession(Protocol):
    """The part of a LiteRT session that tells about its graph."""

    @property
    def uses_delegate(self) -> bool:
        """The delegate was offered the graph."""
        ...

    @property
    def preserves_tensors(self) -> bool:
        """Inner tensors are kept, which cuts the delegate's part into single operators."""
        ...

    def nodes(self) -> tuple[GraphNode, ...]:
        """Operators and partitions."""
        ...


@dataclass(frozen=True, kw_only=True)
class DelegateCoverage:
    """The operators of a file, those that the delegate takes and in how many parts, and those it leaves.

    not_delegated: (operator name, count), most frequent first, then by name.
    """

    operators: int
    delegated: int
    partitions: int
    not_delegated: tuple[tuple[str, int], ...]

    def __post_init__(self) -> None:
        left = sum(count for _, count in self.not_delegated)
        problems = []
        if min(self.operators, self.delegated, self.partitions) < 0:
            problems.append("operators, delegated and partitions cannot be negative")
        if self.delegated + left != self.operators:
            problems.append(f"{self.delegated} delegated and {left} not delegated are not {self.operators} operators")
        if (self.delegated > 0) != (self.partitions > 0) or self.partitions > self.delegated:
            problems.append(f"{self.delegated} delegated operators cannot lie in {self.partitions} partitions")
        if problems:
            raise InvalidSettingError(problems, record="DelegateCoverage")

    @property
    def complete(self) -> bool:
        """The delegate takes every operator."""
        return self.delegated == self.operators

    def sentence(self) -> str:
        """The counts in words, with the name and number of whatever is not delegated."""
        operators = f"{self.operators} operator{'' if self.operators == 1 else 's'}"
        if self.delegated == 0:
            taken = f"{DELEGATE} takes none of {operators}"
        else:
            share = f"all {operators}" if self.complete else f"{self.delegated} of {operators}"
            taken = f"{DELEGATE} takes {share} in {self.partitions} part{'' if self.partitions == 1 else 's'}"
        if not self.not_delegated:
            return taken
        return taken + "; not: " + ", ".join(f"{name} x{count}" for name, count in self.not_delegated)

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON, with `schema_version`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "operators": self.operators,
            "delegated": self.delegated,
            "partitions": self.partitions,
            "not_delegated": dict(self.not_delegated),
        }


def coverage(session: InspectableSession) -> DelegateCoverage:
    """What the delegate takes of the graph of an open file.

    Raises ComparisonImpossibleError when the session was opened without the delegate or preserves its tensors:
    its partitions are then not those of the file in use.
    """
    problems = []
    if not session.uses_delegate:
        problems.append("the session was opened without the delegate: open it with delegate=True")
    if session.preserves_tensors:
        problems.append("the session preserves its tensors: open it with preserve_all_tensors=False")
    if problems:
        raise ComparisonImpossibleError(problems)
    nodes = session.nodes()
    operators = [node for node in nodes if not node.is_delegate]
    partitions = [node for node in nodes if node.is_delegate]
    taken = delegated_operators(operators, partitions)
    left = Counter(node.operator for place, node in enumerate(operators) if place not in taken)
    return DelegateCoverage(
        operators=len(operators),
        delegated=len(taken),
        partitions=len(partitions),
        not_delegated=tuple(sorted(left.items(), key=lambda item: (-item[1], item[0]))),
    )


def delegated_operators(operators: Sequence[GraphNode], partitions: Sequence[GraphNode]) -> frozenset[int]:
    """The places in `operators` of all that lie in some partition."""
    writer = {number: place for place, node in enumerate(operators) for number in node.outputs}
    taken: set[int] = set()
    for partition in partitions:
        given = set(partition.inputs)
        waiting = list(partition.outputs)
        seen: set[int] = set()
        while waiting:
            number = waiting.pop()
            # Constants have no writer; what the partition is given was computed outside of it.
            if number in seen or number in given or number not in writer:
                continue
            seen.add(number)
            taken.add(writer[number])
            waiting += operators[writer[number]].inputs
    return frozenset(taken)
