"""What LiteRT timed, given to the operators of the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from condmix.runtime.delegate_coverage import delegated_operators
from condmix.runtime.litert_session import GraphNode
from condmix.runtime.profile.litert_alignment import aligned, word_of
from condmix.runtime.profile.litert_events import EngineEvents, NoEngineProfileError

LEAST_PAIRED = 0.8
"""Of the delegate's operators, below which the two lists are not taken for the same network."""


@dataclass(frozen=True, kw_only=True)
class Assigned:
    """times_us: place of an operator in the file -> its time, where any was found.

    paired, prepared, unpaired: how many of the delegate's operators are one of the file, prepare one, or neither.
    without_place: (what the delegate calls it, its time) of the last.
    """

    times_us: Mapping[int, float]
    paired: int
    prepared: int
    unpaired: int
    without_place: tuple[tuple[str, float], ...]


def assigned(events: EngineEvents, nodes: Sequence[GraphNode]) -> Assigned:
    """Every time has its operator, or is listed without one.

    nodes: of a session on the same file, with the delegate.

    Raises NoEngineProfileError when the profile is of another graph than the session's.
    """
    operators = [node for node in nodes if not node.is_delegate]
    partitions = [node for node in nodes if node.is_delegate]
    if len(partitions) != len(events.partitions):
        text = f"it ran {len(events.partitions)} parts in the delegate, the session has {len(partitions)}"
        raise NoEngineProfileError(text)
    times_us: dict[int, float] = {}
    for timed in events.operators:
        if timed.place >= len(operators):
            continue  # a part of the delegate, whose operators are told one by one
        if operators[timed.place].operator != timed.name:
            text = f"operator {timed.place} is {timed.name} there and {operators[timed.place].operator} in the session"
            raise NoEngineProfileError(text)
        times_us[timed.place] = timed.time_us
    paired = prepared = 0
    without: list[tuple[str, float]] = []
    for own, partition in zip(events.partitions, partitions, strict=True):
        places = sorted(delegated_operators(operators, [partition]))
        partners = aligned(own, [operators[place].operator for place in places])
        for timed, partner in zip(own, partners, strict=True):
            if partner is None:
                without.append((word_of(timed.name), timed.time_us))
            else:
                times_us[places[partner]] = times_us.get(places[partner], 0.0) + timed.time_us
        found = [partner for partner in partners if partner is not None]
        paired += len(set(found))
        prepared += len(found) - len(set(found))
    total = paired + prepared + len(without)
    if total and (paired + prepared) / total < LEAST_PAIRED:
        text = f"{len(without)} of {total} operators of the delegate could not be found in the file"
        raise NoEngineProfileError(text)
    return Assigned(
        times_us=times_us, paired=paired, prepared=prepared, unpaired=len(without), without_place=tuple(without)
    )
