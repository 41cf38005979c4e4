"""The record of a timing: every sample, and what may be said about them.

Medians are compared by a ratio with an interval from a bootstrap over rounds: runs of one round share what
the machine was doing at that moment, so whole rounds are drawn again, for both candidates together. The
first candidate is timed a second time under another name; how far these two differ is the noise floor, and
a difference below it is none.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import asdict, dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from condmix.runtime.bootstrap import CONFIDENCE, RESAMPLES, median_ratio, ratio_interval
from condmix.runtime.errors import InvalidSettingError

SCHEMA_VERSION = 1
MINIMUM_RUNS_FOR_P90 = 100


class Clock(StrEnum):
    """What a sample counts."""

    WALL = "wall"  # time.perf_counter_ns: what a user waits for; other processes lengthen it
    CPU = "cpu"  # time.thread_time_ns: the calling thread alone; an engine's other threads are not in it


@dataclass(frozen=True, kw_only=True)
class LatencySettings:
    """How long to measure. A measurement stops when both minima are met, for every candidate.

    warmup_runs: runs of each candidate before the first round; recorded, but in no median.
    minimum_runs, minimum_seconds: timed runs, and their wall time, of each candidate.
    block: consecutive runs of one candidate within a round.
    seed: of the order of candidates in each round, and of the bootstrap.
    """

    warmup_runs: int
    minimum_runs: int
    minimum_seconds: float
    block: int
    seed: int

    def __post_init__(self) -> None:
        lowest = {"warmup_runs": 0, "minimum_runs": 1, "block": 1, "seed": 0}
        problems = [
            f"{name} must be at least {least}, found {getattr(self, name)}"
            for name, least in lowest.items()
            if getattr(self, name) < least
        ]
        if not (math.isfinite(self.minimum_seconds) and self.minimum_seconds >= 0):
            problems.append(f"minimum_seconds must be finite and at least 0, found {self.minimum_seconds}")
        if problems:
            raise InvalidSettingError(problems, record="LatencySettings")


@dataclass(frozen=True, kw_only=True)
class CandidateSamples:
    """Every run of one candidate in order of time; the same run has the same place under both clocks."""

    name: str
    wall_ns: tuple[int, ...]
    cpu_ns: tuple[int, ...]
    warmup_wall_ns: tuple[int, ...]
    warmup_cpu_ns: tuple[int, ...]

    def samples_ns(self, clock: Clock) -> npt.NDArray[np.int64]:
        """[runs] the timed runs."""
        return np.array(self.wall_ns if clock is Clock.WALL else self.cpu_ns, dtype=np.int64)

    def median_ns(self, clock: Clock) -> float:
        """Of the timed runs."""
        return float(np.median(self.samples_ns(clock)))

    def p90_ns(self, clock: Clock) -> float | None:
        """The sample below or at which 90 % of the runs lie; None when there are too few runs to tell."""
        samples = self.samples_ns(clock)
        if len(samples) < MINIMUM_RUNS_FOR_P90:
            return None
        return float(np.percentile(samples, 90, method="inverted_cdf"))

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON: the summary under each clock, and all samples."""
        record: dict[str, object] = {"name": self.name, "runs": len(self.wall_ns)}
        for clock in Clock:
            samples = self.samples_ns(clock)
            record[str(clock)] = {
                "median_ns": self.median_ns(clock),
                "p90_ns": self.p90_ns(clock),
                "minimum_ns": int(samples.min()),
                "maximum_ns": int(samples.max()),
            }
        samples_by_field = asdict(self)
        del samples_by_field["name"]
        return record | {field: list(samples) for field, samples in samples_by_field.items()}


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """The median of one candidate over that of another.

    ratio: None when the clock is too coarse to see the denominator.
    low, high: the interval that holds it with CONFIDENCE; None after too few rounds, or without a ratio.
    """

    numerator: str
    denominator: str
    clock: Clock
    ratio: float | None
    low: float | None
    high: float | None

    def sentence(self) -> str:
        """The ratio in one line."""
        if self.ratio is None:
            return f"{self.numerator} / {self.denominator}: the {self.clock} clock is too coarse"
        text = f"{self.numerator} / {self.denominator} = {self.ratio:.3f}"
        if self.low is None or self.high is None:
            return f"{text} ({self.clock} time; too few rounds for an interval)"
        return f"{text} ({self.low:.3f} to {self.high:.3f}, {CONFIDENCE:.0%}, {self.clock} time)"


@dataclass(frozen=True, kw_only=True)
class LatencyReport:
    """All candidates of one measurement; `control` is the second name of the first one."""

    settings: LatencySettings
    candidates: tuple[CandidateSamples, ...]
    control: str

    def __post_init__(self) -> None:
        problems = []
        names = [candidate.name for candidate in self.candidates]
        if len(set(names)) != len(names):
            problems.append(f"candidates have one name twice: {names}")
        if len(names) < 2 or names[0] == self.control or self.control not in names:
            problems.append(f"control {self.control!r} must be a later candidate than the first of {names}")
        runs = len(self.candidates[0].wall_ns) if names else 0
        if runs == 0 or runs % self.settings.block:
            problems.append(f"runs must be a multiple of block = {self.settings.block}, found {runs}")
        problems += [
            f"{one.name!r} must have {runs} samples, found {len(one.wall_ns)} wall, {len(one.cpu_ns)} cpu"
            for one in self.candidates
            if not len(one.wall_ns) == len(one.cpu_ns) == runs
        ]
        if problems:
            raise InvalidSettingError(problems, record="LatencyReport")

    @property
    def rounds(self) -> int:
        """How many times every candidate had its turn."""
        return len(self.candidates[0].wall_ns) // self.settings.block

    def candidate(self, name: str) -> CandidateSamples:
        """The candidate of that name. Raises InvalidSettingError listing the names there are."""
        for candidate in self.candidates:
            if candidate.name == name:
                return candidate
        known = ", ".join(repr(candidate.name) for candidate in self.candidates)
        raise InvalidSettingError([f"no candidate is named {name!r}, there are {known}"], record="ratio")

    def ratio(self, numerator: str, denominator: str, clock: Clock) -> Ratio:
        """median(numerator) / median(denominator) with its interval, the same at every call."""
        above, below = (
            self.candidate(name).samples_ns(clock).reshape(self.rounds, self.settings.block)
            for name in (numerator, denominator)
        )
        ratio = median_ratio(above, below)
        interval = None if ratio is None else ratio_interval(above, below, seed=self.settings.seed)
        low, high = interval or (None, None)
        return Ratio(numerator=numerator, denominator=denominator, clock=clock, ratio=ratio, low=low, high=high)

    def noise_floor(self, clock: Clock) -> float | None:
        """How far from 1 the interval of the candidate against itself reaches; None without an interval."""
        control = self.ratio(self.control, self.candidates[0].name, clock)
        if control.low is None or control.high is None:
            return None
        return max(abs(control.low - 1), abs(control.high - 1))

    def is_different(self, ratio: Ratio) -> bool:
        """Whether the interval excludes 1 and the ratio lies beyond the noise floor."""
        floor = self.noise_floor(ratio.clock)
        if ratio.ratio is None or ratio.low is None or ratio.high is None or floor is None:
            return False
        return not ratio.low <= 1 <= ratio.high and abs(ratio.ratio - 1) > floor

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON, with `schema_version`: all samples, and every pair's ratio by both clocks."""
        names = [candidate.name for candidate in self.candidates]
        ratios = [
            self.ratio(later, earlier, clock) for clock in Clock for earlier, later in itertools.combinations(names, 2)
        ]
        return {
            "schema_version": SCHEMA_VERSION,
            "settings": asdict(self.settings),
            "rounds": self.rounds,
            "control": self.control,
            "confidence": CONFIDENCE,
            "resamples": RESAMPLES,
            "noise_floor": {str(clock): self.noise_floor(clock) for clock in Clock},
            "ratios": [
                {**asdict(ratio), "clock": str(ratio.clock), "is_different": self.is_different(ratio)}
                for ratio in ratios
            ],
            "candidates": [candidate.to_dict() for candidate in self.candidates],
        }
