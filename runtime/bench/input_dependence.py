"""Whether latency depends on the image: the median of each input that was fed, and what chance alone does.

Inputs are fed in turn, so a run's time also tells what the machine was doing at that moment and which place it had in
its turn: both are taken out first (a run over the median of those around it, and over that of its place). Then a
permutation test: under no dependence the inputs of runs at one place can be exchanged. How far apart such exchanges put
the medians is what chance does; only a spread that hardly any of them reaches, and that lies beyond the noise floor of
the report, is called a dependence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.samples import Samples
from condmix.runtime.bootstrap import CONFIDENCE, RESAMPLES

LEAST_RUNS = 10
"""Of each input: of fewer a median says little."""
CHANCE = 0.01
"""The share of exchanges that may reach the spread of a dependence: a report holds many subjects."""
LEAST_SPREAD = 0.01
"""Each input lies elsewhere in memory, which moves a short run by some tenths of a percent whatever is in it."""
WINDOW_TURNS = 4
"""The runs around one that tell what the machine was doing: so many of each input, so that none colours it."""
_CHUNK = 50
LEAST_EXCHANGES = 200
MOST_EXCHANGED = 4_000_000
"""Values that are exchanged in all, beyond the least number of exchanges: of thousands of runs fewer exchanges do."""

Numbers = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class InputRuns:
    """The runs with one input."""

    input: int
    median_ns: float
    runs: int

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {"input": self.input, "median_ns": self.median_ns, "runs": self.runs}


@dataclass(frozen=True, kw_only=True)
class InputDependence:
    """One subject's answer.

    spread: how much longer the slowest input takes than the fastest, as a share, other influences taken out.
    low, high: what holds it with CONFIDENCE, for these two inputs. chance: what CHANCE of all exchanges exceed.
    depends: None where these runs cannot tell; the other figures are None then.
    """

    inputs: tuple[InputRuns, ...]
    spread: float | None
    low: float | None
    high: float | None
    chance: float | None
    depends: bool | None
    sentence: str

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {
            "inputs": [one.to_dict() for one in self.inputs],
            "spread": self.spread,
            "low": self.low,
            "high": self.high,
            "chance": self.chance,
            "depends": self.depends,
            "sentence": self.sentence,
        }


def input_dependence(report: BenchReport) -> Mapping[str, object]:
    """The section `input_dependence`: every subject but the control that was fed more than one input, by name."""
    floor = report.noise_floor() or 0.0
    found = {
        record.name: dependence_of(record.samples, seed=report.settings.seed, floor=floor)
        for record in report.subjects
        if record.name != report.control
    }
    return {name: one.to_dict() for name, one in found.items() if one is not None}


def dependence_of(samples: Samples, *, seed: int, floor: float = 0.0) -> InputDependence | None:
    """Whether these runs depend on their input, the same at every call; None when there was only one input.

    floor: a spread below this, or LEAST_SPREAD, is called none.
    """
    fed = np.array(samples.input, dtype=np.int64)
    numbers = np.unique(fed)
    if len(numbers) < 2:
        return None
    wall_ns = samples.wall_array().astype(np.float64)
    places = _places_in_turn(samples)
    inputs = tuple(
        InputRuns(
            input=int(number), median_ns=float(np.median(wall_ns[fed == number])), runs=int((fed == number).sum())
        )
        for number in numbers
    )
    opening = np.array(samples.opening, dtype=np.int64)
    if reason := _why_not(inputs, fed, places, opening):
        return InputDependence(
            inputs=inputs, spread=None, low=None, high=None, chance=None, depends=None, sentence=reason
        )
    adjusted = _without_moment_and_place(wall_ns, opening, places, len(numbers))
    members = [np.flatnonzero(fed == number) for number in numbers]
    medians = np.array([np.median(adjusted[rows]) for rows in members])
    fastest, slowest = int(medians.argmin()), int(medians.argmax())
    spread = float(medians[slowest] / medians[fastest] - 1)
    generator = np.random.default_rng(seed)
    by_chance = _exchanged_spreads(adjusted, members, places, generator)
    beyond_chance = bool((1 + (by_chance >= spread).sum()) / (1 + len(by_chance)) <= CHANCE)
    least = max(floor, LEAST_SPREAD)
    depends = beyond_chance and spread > least
    chance = float(np.quantile(by_chance, 1 - CHANCE))
    low, high = _interval(adjusted[members[slowest]], adjusted[members[fastest]], generator)
    if depends:
        sentence = (
            f"depends on the image: input {numbers[slowest]} takes {spread:.1%} longer than input {numbers[fastest]} "
            f"({low:.1%} to {high:.1%}, {CONFIDENCE:.0%}); chance alone puts inputs up to {chance:.1%} apart"
        )
    else:
        why = f"chance alone puts them up to {chance:.1%} apart"
        if beyond_chance:
            why = (
                f"more than chance puts them apart ({chance:.1%}), but below what is told from noise here ({least:.1%})"
            )
        within = f"the medians of {len(numbers)} inputs lie within {spread:.1%}"
        sentence = f"no measurable dependence on the image: {within}; {why}"
    return InputDependence(
        inputs=inputs, spread=spread, low=low, high=high, chance=chance, depends=depends, sentence=sentence
    )


def _why_not(inputs: tuple[InputRuns, ...], fed: Places, places: Places, opening: Places) -> str:
    """Why these runs cannot tell, empty when they can."""
    fewest = min(inputs, key=lambda one: one.runs)
    if fewest.runs < LEAST_RUNS:
        return f"not to be told: input {fewest.input} ran {fewest.runs} times, {LEAST_RUNS} runs of each are needed"
    for groups, words in ((places, "at some places of a turn"), (opening, "in some processes")):
        if not _linked(fed, groups):
            return f"not to be told: each input was only ever fed {words}, which differ by themselves"
    return ""


def _linked(fed: Places, groups: Places) -> bool:
    """Every group can be compared with every other through inputs that both were fed, perhaps over several groups."""
    reached, grown = {int(groups[0])}, True
    while grown:
        inputs = fed[np.isin(groups, list(reached))]
        wider = set(groups[np.isin(fed, inputs)].tolist())
        grown, reached = wider != reached, wider
    return len(reached) == len(np.unique(groups))


def _places_in_turn(samples: Samples) -> Places:
    """[runs] 0 for the first run of a turn, and so on."""
    turn = np.stack([np.array(samples.round, dtype=np.int64), np.array(samples.opening, dtype=np.int64)])
    starts = np.flatnonzero(np.any(np.diff(turn, axis=1, prepend=-1) != 0, axis=0))
    lengths = np.diff(np.append(starts, turn.shape[1]))
    return np.concatenate([np.arange(length) for length in lengths])


def _without_moment_and_place(wall_ns: Numbers, opening: Places, places: Places, inputs: int) -> Numbers:
    """[runs] each run over what it would be expected to take then and there; about 1."""
    adjusted = np.empty_like(wall_ns)
    for number in np.unique(opening):
        rows = np.flatnonzero(opening == number)
        adjusted[rows] = wall_ns[rows] / _around(wall_ns[rows], 2 * (WINDOW_TURNS * inputs // 2) + 1)
    for place in np.unique(places):
        rows = places == place
        adjusted[rows] /= np.median(adjusted[rows])
    return adjusted


def _around(values: Numbers, window: int) -> Numbers:
    """[runs] the median of the `window` runs around each; of all where there are no more."""
    if len(values) <= window:
        return np.full_like(values, max(float(np.median(values)), 1.0))
    middle = np.median(np.lib.stride_tricks.sliding_window_view(values, window), axis=1)
    return np.maximum(np.pad(middle, window // 2, mode="edge"), 1.0)


def _exchanged_spreads(
    adjusted: Numbers, members: list[Places], places: Places, generator: np.random.Generator
) -> Numbers:
    """[exchanges] the spread after the inputs of runs at the same place were exchanged at random."""
    exchanges = max(LEAST_EXCHANGES, min(RESAMPLES, MOST_EXCHANGED // len(adjusted)))
    groups = [np.flatnonzero(places == place) for place in np.unique(places)]
    spreads = []
    for _ in range(exchanges // _CHUNK):
        exchanged = np.empty((_CHUNK, len(adjusted)))
        for rows in groups:
            exchanged[:, rows] = generator.permuted(np.broadcast_to(adjusted[rows], (_CHUNK, len(rows))), axis=1)
        medians = np.stack([np.median(exchanged[:, rows], axis=1) for rows in members])
        spreads.append(medians.max(axis=0) / medians.min(axis=0) - 1)
    return np.concatenate(spreads)


def _interval(slow: Numbers, fast: Numbers, generator: np.random.Generator) -> tuple[float, float]:
    """What holds the ratio of their medians, less 1, with CONFIDENCE: runs of each drawn again."""
    drawn = [
        np.median(values[generator.integers(0, len(values), size=(RESAMPLES, len(values)))], axis=1)
        for values in (slow, fast)
    ]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn[0] / drawn[1] - 1, [tail, 1 - tail])
    return float(low), float(high)
