"""How sure a median is: intervals from drawing whole groups of samples again (Efron's bootstrap, percentile method).

Latencies that were taken together share what the machine was doing at that moment, so a group (a round) is the
unit that is drawn, and two candidates of one round are drawn together.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

CONFIDENCE = 0.95
RESAMPLES = 1000
MINIMUM_ROUNDS_FOR_INTERVAL = 20

Samples = npt.NDArray[np.int64]


def median_ratio(above: Samples, below: Samples) -> float | None:
    """The median of one over that of the other; None when the latter is 0."""
    median = float(np.median(below))
    return float(np.median(above)) / median if median > 0 else None


def ratio_interval(
    above: Samples, below: Samples, *, seed: int, minimum_rounds: int = MINIMUM_ROUNDS_FOR_INTERVAL
) -> tuple[float, float] | None:
    """What holds the ratio of the medians with CONFIDENCE, the same at every call; arrays are [rounds, runs a round].

    None after fewer than `minimum_rounds`, or when a drawn denominator is 0.
    """
    if len(above) < minimum_rounds:
        return None
    upper, lower = _DrawnMedian(above), _DrawnMedian(below)
    generator = np.random.default_rng(seed)
    ratios = []
    for _ in range(RESAMPLES):
        times_drawn = _draw(generator, len(above))
        denominator = lower.of(times_drawn)
        if denominator <= 0:
            return None
        ratios.append(upper.of(times_drawn) / denominator)
    return _tails(ratios)


def median_interval(samples: Samples, *, seed: int) -> tuple[float, float] | None:
    """What holds the median with CONFIDENCE, the same at every call; samples is [rounds, runs a round].

    None after fewer than MINIMUM_ROUNDS_FOR_INTERVAL rounds.
    """
    if len(samples) < MINIMUM_ROUNDS_FOR_INTERVAL:
        return None
    drawn = _DrawnMedian(samples)
    generator = np.random.default_rng(seed)
    return _tails([drawn.of(_draw(generator, len(samples))) for _ in range(RESAMPLES)])


class _DrawnMedian:
    """The median of drawn rounds without copying them: sorted once, each sample counted as often as its round."""

    def __init__(self, samples: Samples) -> None:
        flat = samples.reshape(-1)
        order = np.argsort(flat, kind="stable")
        self._sorted = flat[order]
        self._round_of = np.repeat(np.arange(len(samples)), samples.shape[1])[order]
        self._middles = np.array([(flat.size - 1) // 2, flat.size // 2])

    def of(self, times_drawn: npt.NDArray[np.int64]) -> float:
        """times_drawn: [rounds] with as many draws in all as there are rounds."""
        places = np.searchsorted(np.cumsum(times_drawn[self._round_of]), self._middles, side="right")
        return float(self._sorted[places].mean())


def _draw(generator: np.random.Generator, rounds: int) -> npt.NDArray[np.int64]:
    return np.bincount(generator.integers(0, rounds, size=rounds), minlength=rounds)


def _tails(values: list[float]) -> tuple[float, float]:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)
