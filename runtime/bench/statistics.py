"""What may be said about samples: a percentile only where the count supports it, no sample ever left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from condmix.runtime.bench.samples import Samples
from condmix.runtime.bootstrap import CONFIDENCE, median_interval, median_ratio, ratio_interval
from condmix.runtime.errors import InvalidSettingError

# Ten samples or so must lie above a percentile before it is more than the accident of one of them.
RUNS_FOR_PERCENTILE: Mapping[int, int] = MappingProxyType({90: 100, 95: 200, 99: 1000})
OUTLIER_SPANS = 3.0
"""Tukey's outer fence: so many interquartile ranges outside the quartiles a sample is marked (and kept)."""

Array = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The steady state of one subject, in wall time.

    median_low_ns, median_high_ns: hold the median with 95 % (bootstrap over rounds); None after too few rounds.
    p90_ns, p95_ns, p99_ns: None when there are fewer than 100, 200, 1000 runs.
    outliers: how many samples lie beyond Tukey's outer fences; they are in every figure.
    """

    runs: int
    median_ns: float
    median_low_ns: float | None
    median_high_ns: float | None
    p90_ns: float | None
    p95_ns: float | None
    p99_ns: float | None
    minimum_ns: int
    maximum_ns: int
    mean_ns: float
    standard_deviation_ns: float
    outliers: int

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """The median of one subject over that of another, in wall time.

    ratio: None when one of them has no complete round in common with the other.
    low, high: the interval that holds it with 95 %; None after too few rounds.
    """

    numerator: str
    denominator: str
    ratio: float | None
    low: float | None
    high: float | None

    def sentence(self) -> str:
        """The ratio in one line."""
        if self.ratio is None:
            return f"{self.numerator} / {self.denominator}: no round in common"
        text = f"{self.numerator} / {self.denominator} = {self.ratio:.3f}"
        if self.low is None or self.high is None:
            return f"{text} (too few rounds for an interval)"
        return f"{text} ({self.low:.3f} to {self.high:.3f}, {CONFIDENCE:.0%})"

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return asdict(self)


def percentile_ns(wall_ns: Array, percent: int) -> float | None:
    """The sample below or at which `percent` % of the runs lie; None when the count does not support it.

    Raises InvalidSettingError for another percentile than 90, 95 and 99.
    """
    if percent not in RUNS_FOR_PERCENTILE:
        known = ", ".join(map(str, RUNS_FOR_PERCENTILE))
        raise InvalidSettingError([f"percent must be one of {known}, found {percent}"], record="percentile")
    if len(wall_ns) < RUNS_FOR_PERCENTILE[percent]:
        return None
    return float(np.percentile(wall_ns, percent, method="inverted_cdf"))


def is_outlier(wall_ns: Array) -> npt.NDArray[np.bool_]:
    """[runs] whether a sample lies beyond Tukey's outer fences."""
    low, high = np.percentile(wall_ns, [25, 75])
    span = OUTLIER_SPANS * (high - low)
    return np.asarray((wall_ns < low - span) | (wall_ns > high + span))


def blocks(samples: Samples, *, rounds: int, block: int) -> dict[int, Array]:
    """Round -> its wall_ns [block], for all complete rounds in which the subject had its whole turn."""
    wall_ns = samples.wall_array()
    round_of = np.array(samples.round, dtype=np.int64)
    starts = np.flatnonzero(np.diff(round_of, prepend=-1))
    found = {int(round_of[start]): turn for start, turn in zip(starts, np.split(wall_ns, starts)[1:], strict=True)}
    return {number: turn for number, turn in found.items() if number < rounds and len(turn) == block}


def summarize(samples: Samples, *, rounds: int, block: int, seed: int) -> Summary | None:
    """The figures of all samples, the interval from those of complete rounds; None without a sample."""
    if not len(samples):
        return None
    wall_ns = samples.wall_array()
    whole = blocks(samples, rounds=rounds, block=block)
    interval = median_interval(np.stack(list(whole.values())), seed=seed) if whole else None
    low, high = interval or (None, None)
    return Summary(
        runs=len(wall_ns),
        median_ns=float(np.median(wall_ns)),
        median_low_ns=low,
        median_high_ns=high,
        p90_ns=percentile_ns(wall_ns, 90),
        p95_ns=percentile_ns(wall_ns, 95),
        p99_ns=percentile_ns(wall_ns, 99),
        minimum_ns=int(wall_ns.min()),
        maximum_ns=int(wall_ns.max()),
        mean_ns=float(wall_ns.mean()),
        standard_deviation_ns=float(wall_ns.std()),
        outliers=int(is_outlier(wall_ns).sum()),
    )


def compare_blocks(
    above: Mapping[int, Array], below: Mapping[int, Array], *, numerator: str, denominator: str, seed: int
) -> Ratio:
    """The ratio of the medians over the rounds that both have, rounds drawn for both together."""
    common = [number for number in above if number in below]
    if not common:
        return Ratio(numerator=numerator, denominator=denominator, ratio=None, low=None, high=None)
    upper, lower = (np.stack([turns[number] for number in common]) for turns in (above, below))
    interval = ratio_interval(upper, lower, seed=seed)
    low, high = interval or (None, None)
    return Ratio(numerator=numerator, denominator=denominator, ratio=median_ratio(upper, lower), low=low, high=high)
