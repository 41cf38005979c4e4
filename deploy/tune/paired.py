"""Ratios of one candidate to another within rounds: what the machine did meanwhile happened to both.

A round's ratio is that of the medians of its two turns. Processes of one file differ too, by where it lies in memory,
so the interval draws openings first and then rounds of them. On one thread the clock is the process's own: a core that
was taken away for a moment is not the file's doing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.samples import Samples
from condmix.runtime.bootstrap import MINIMUM_ROUNDS_FOR_INTERVAL, RESAMPLES


@dataclass(frozen=True, kw_only=True)
class PairedRatio:
    """low, high: hold the ratio with 95 %; None after too few rounds."""

    ratio: float
    low: float | None
    high: float | None

    @property
    def reach(self) -> float | None:
        """How far from 1 the interval goes: of a file against itself, the noise floor."""
        return None if self.low is None or self.high is None else max(abs(self.low - 1), abs(self.high - 1))


def paired_ratio(report: BenchReport, above: str, below: str) -> PairedRatio | None:
    """The ratio over the complete rounds of both; None without one, or where the clock saw nothing pass."""
    upper, lower = (_turns(report, name) for name in (above, below))
    rounds = sorted(set(upper) & set(lower))
    if not rounds or any(lower[one] <= 0 for one in rounds):
        return None
    ratios = np.array([upper[one] / lower[one] for one in rounds])
    openings = np.array([one % report.settings.openings for one in rounds])
    ratio = float(np.median(ratios))
    if len(rounds) < MINIMUM_ROUNDS_FOR_INTERVAL:
        return PairedRatio(ratio=ratio, low=None, high=None)
    low, high = _interval(ratios, openings, report.settings.seed)
    return PairedRatio(ratio=ratio, low=min(low, ratio), high=max(high, ratio))


def median_ms(report: BenchReport, name: str) -> float | None:
    """Of all runs of that subject, on the same clock; None without any."""
    times = _clock(report, name)
    return float(np.median(times)) / 1e6 if len(times) else None


def _turns(report: BenchReport, name: str) -> dict[int, float]:
    """Round -> the median of the subject's turn in it, of complete rounds."""
    times, rounds = _clock(report, name), np.array(report.subject(name).samples.round)
    found = {}
    for one in range(report.rounds):
        turn = times[rounds == one]
        if len(turn) == report.settings.block:
            found[one] = float(np.median(turn))
    return found


def _clock(report: BenchReport, name: str) -> np.ndarray:
    subject = report.subject(name)
    samples: Samples = subject.samples
    return np.array(samples.cpu_ns if subject.subject.threads == 1 else samples.wall_ns, dtype=np.float64)


def _interval(ratios: np.ndarray, openings: np.ndarray, seed: int) -> tuple[float, float]:
    generator = np.random.default_rng(seed)
    groups = [ratios[openings == one] for one in np.unique(openings)]
    medians = []
    for _ in range(RESAMPLES):
        drawn = [groups[place] for place in generator.integers(len(groups), size=len(groups))]
        medians.append(np.median(np.concatenate([generator.choice(group, len(group)) for group in drawn])))
    low, high = np.percentile(medians, [2.5, 97.5])
    return float(low), float(high)
