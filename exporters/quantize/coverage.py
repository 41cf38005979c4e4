"""Whether the calibration images exercise every expert, and which images of a larger pool would."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from condmix.exporters.errors import CalibrationError
from condmix.exporters.quantize.ranges import Ranges

BINS = 10
EXERCISED = 0.05
"""Of the largest gate in a block: an expert that never weighed a twentieth of that has left no trace in the ranges."""
COVERED = 0.95
"""Of the strongest that a gate gets in the whole pool: then an image counts as one that exercises it."""


@dataclass(frozen=True, kw_only=True)
class BlockRouting:
    """How often each expert of a block was opened how far."""

    block: str
    """The name of the routing value."""
    low: float
    high: float
    """The ends of the bins, BINS of equal width: 0 and 1 where all gates lie between, else the extremes seen."""
    counts: tuple[tuple[int, ...], ...]
    """An expert a row: images in each bin."""
    strongest: tuple[float, ...]
    """Of each expert the largest magnitude of its gate."""

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {**asdict(self), "counts": [list(row) for row in self.counts], "strongest": list(self.strongest)}


@dataclass(frozen=True, kw_only=True)
class UnexercisedExperts:
    """Experts of a block whose gates stayed nearly shut on all images."""

    block: str
    experts: tuple[int, ...]
    """Numbers from 0."""
    strongest: float
    """The largest that any of their gates came to."""
    limit: float
    image_count: int

    @property
    def warning(self) -> str:
        """As a sentence for the user."""
        numbers = ", ".join(map(str, self.experts))
        which = f"experts {numbers} were" if len(self.experts) > 1 else f"expert {numbers} was"
        return (
            f"block '{self.block}': {which} never exercised by the {self.image_count} calibration images (gates up to "
            f"{self.strongest:.3g}, expected above {self.limit:.3g}): int8 ranges know nothing of what they do; "
            "calibrate on more varied images"
        )

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {**asdict(self), "experts": list(self.experts), "warning": self.warning}


def block_routing(ranges: Ranges) -> tuple[BlockRouting, ...]:
    """The histogram of every block's routing over the calibration images; none for a network without CondConv."""
    return tuple(_histogram(block, np.asarray(rows)) for block, rows in ranges.routing.items())


def unexercised(ranges: Ranges, threshold: float = EXERCISED) -> tuple[UnexercisedExperts, ...]:
    """The blocks with experts whose gate never exceeded `threshold` of the largest gate of that block.

    A block whose gates were all zero exercised none. Raises CalibrationError for a threshold outside 0 to 1.
    """
    if not 0 <= threshold < 1:
        message = f"the threshold of an exercised expert is {threshold:g}: expected from 0 to below 1"
        raise CalibrationError(message)
    found = []
    for block, rows in ranges.routing.items():
        strongest = np.abs(rows).max(axis=0)
        limit = threshold * float(strongest.max())
        idle = np.flatnonzero(strongest <= limit)
        if idle.size:
            found.append(
                UnexercisedExperts(
                    block=block,
                    experts=tuple(int(expert) for expert in idle),
                    strongest=float(strongest[idle].max()),
                    limit=limit,
                    image_count=len(rows),
                )
            )
    return tuple(found)


def choose_covering(routing: Mapping[str, np.ndarray], count: int, available: int) -> tuple[int, ...]:
    """The places of `count` images of a pool, sorted, that exercise every expert as strongly as the pool allows.

    routing: rows (available, experts) by block, as `exporters.verify.routing.routing_of` gives them. First the
    image that exercises most experts not yet exercised (within COVERED of the strongest in the pool), and so on; of
    equals the one that opens them furthest. Then images whose routing lies far from all that were taken.
    Without routing, or to fill up, images are spread evenly over the pool.
    """
    count = min(count, available)
    _require_rows(routing, available)
    if not routing or count <= 0:
        return _evenly(available, count)
    gates = np.concatenate([np.abs(rows) for rows in routing.values()], axis=1).astype(np.float64)
    strength = gates / np.maximum(gates.max(axis=0), np.finfo(np.float64).tiny)
    chosen = _covering(strength, count)
    scaled = [rows / max(float(np.ptp(rows, axis=0).max()), 1e-12) for rows in routing.values()]
    return _spread_further(np.concatenate(scaled, axis=1), chosen, count)


def _covering(strength: np.ndarray, count: int) -> list[int]:
    """Greedy set cover (Chvatal 1979): images until every gate is covered, or there are enough."""
    reached = np.zeros(strength.shape[1])
    # A gate that is zero on every image cannot be covered by any.
    coverable = strength.max(axis=0) > 0
    chosen: list[int] = []
    while len(chosen) < count:
        missing = coverable & (reached < COVERED)
        if not missing.any():
            break
        newly = (strength[:, missing] >= COVERED).sum(axis=1)
        further = np.maximum(strength - reached, 0.0).sum(axis=1)
        best = int(np.lexsort((further, newly))[-1])
        chosen.append(best)
        reached = np.maximum(reached, strength[best])
    return chosen


def _spread_further(points: np.ndarray, chosen: list[int], count: int) -> tuple[int, ...]:
    """Each next image is the one furthest from all that were taken; equal ones are left for last."""
    taken = np.zeros(len(points), bool)
    taken[chosen] = True
    distance = np.full(len(points), np.inf)
    for index in chosen:
        distance = np.minimum(distance, np.abs(points - points[index]).sum(axis=1))
    while taken.sum() < count:
        distance[taken] = -1.0
        best = int(distance.argmax())
        taken[best] = True
        distance = np.minimum(distance, np.abs(points - points[best]).sum(axis=1))
    return tuple(int(index) for index in np.flatnonzero(taken))


def _evenly(available: int, count: int) -> tuple[int, ...]:
    return tuple(int(place) for place in np.linspace(0, available - 1, count)) if count > 0 else ()


def _require_rows(routing: Mapping[str, np.ndarray], available: int) -> None:
    wrong = [f"'{block}' has shape {rows.shape}" for block, rows in routing.items() if len(rows) != available]
    if wrong:
        message = f"routing rows of {available} images were expected: {', '.join(wrong)}"
        raise CalibrationError(message)


def _histogram(block: str, rows: np.ndarray) -> BlockRouting:
    low, high = float(rows.min()), float(rows.max())
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    counts = [np.histogram(column, bins=BINS, range=(low, high))[0] for column in rows.T]
    return BlockRouting(
        block=block,
        low=low,
        high=high,
        counts=tuple(tuple(int(number) for number in row) for row in counts),
        strongest=tuple(float(number) for number in np.abs(rows).max(axis=0)),
    )
