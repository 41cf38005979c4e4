"""Latency over time: every run as a dot where it began, the median of each round as a line, nothing left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from markupsafe import Markup

from condmix.deploy.report.axis import padded
from condmix.deploy.report.plot import AxisPlan, Plot
from condmix.deploy.report.series import colour_class
from condmix.deploy.report.svg import dots, element, line, number, picture, polyline, rectangle, words

HEIGHT = 220.0
MOST_BANDS = 40
MOST_OPENING_SHADES = 3


@dataclass(frozen=True, kw_only=True)
class TimedRuns:
    """The timed runs of one subject in order of time, fields of equal length; `outlier` marks, it removes nothing."""

    start_s: Sequence[float]
    latency_ms: Sequence[float]
    round: Sequence[int]
    opening: Sequence[int]
    outlier: Sequence[bool]


def time_chart(
    runs: TimedRuns, *, identity: str, index: int, title: str, end_s: float, round_start_s: Sequence[float]
) -> Markup:
    """The picture of at least one run.

    end_s: where the time axis ends, the same for all subjects. round_start_s: when each round of all subjects began:
    every other one has a shade behind it.
    """
    usual = [ms for ms, outlier in zip(runs.latency_ms, runs.outlier, strict=True) if not outlier] or runs.latency_ms
    low, high = padded([*usual, min(runs.latency_ms)], share=0.12)
    above = [ms for ms in runs.latency_ms if ms > high]
    plot = Plot.of(
        AxisPlan(low=0.0, high=max(end_s, 1e-9), title="start of the run, s"),
        AxisPlan(low=low, high=high, title="latency, ms"),
        height=HEIGHT,
    )
    return picture(
        _bands(plot, round_start_s, end_s),
        plot.frame(),
        *_runs(plot, runs, index=index),
        _medians(plot, runs, stride=rounds_a_band(len(round_start_s))),
        line(*plot.at(0.0, median(runs.latency_ms)), *plot.at(end_s, median(runs.latency_ms)), "median"),
        _told_above(plot, above),
        height=HEIGHT,
        identity=identity,
        title=title,
        description=_description(runs, above),
    )


def _runs(plot: Plot, runs: TimedRuns, *, index: int) -> list[Markup]:
    """Dots in a shade for each opening; outliers as rings, those beyond the axis as triangles at its end."""
    points = list(zip(runs.start_s, runs.latency_ms, runs.opening, runs.outlier, strict=True))
    drawn = []
    for shade in range(MOST_OPENING_SHADES):
        of_shade = [
            plot.at(start, ms)
            for start, ms, opening, outlier in points
            if opening % MOST_OPENING_SHADES == shade and not outlier
        ]
        drawn.append(dots(of_shade, f"{colour_class(index)} opening{shade}"))
    rings, triangles = [], []
    for start, ms, _, outlier in points:
        x, y = plot.at(start, ms)
        if ms > plot.y.high:
            triangles.append(f"M{number(x)} {number(y - 5)}l4 7h-8Z")
        elif outlier:
            rings.append(f"M{number(x - 3)} {number(y)}a3 3 0 1 0 6 0a3 3 0 1 0 -6 0")
    for shapes, classes in ((rings, "outlier"), (triangles, "outlier beyond")):
        if shapes:
            drawn.append(element("path", {"d": "".join(shapes), "class": classes}))
    return drawn


def _medians(plot: Plot, runs: TimedRuns, *, stride: int) -> Markup:
    """A line through the median of each round, or of each few, where these runs lie."""
    of_round: dict[int, list[tuple[float, float]]] = {}
    for start, ms, its_round in zip(runs.start_s, runs.latency_ms, runs.round, strict=True):
        of_round.setdefault(its_round // stride, []).append((start, ms))
    places = [
        plot.at(median(start for start, _ in members), median(ms for _, ms in members)) for members in of_round.values()
    ]
    return polyline(places, "round-median")


def _bands(plot: Plot, round_start_s: Sequence[float], end_s: float) -> Markup:
    """A shade behind every other round, or behind every other few rounds where there are many."""
    stride = rounds_a_band(len(round_start_s))
    edges = [*round_start_s[::stride], end_s]
    pairs = list(pairwise(edges))[1::2]
    top, bottom = plot.y.end, plot.y.start
    return Markup("").join(
        rectangle(plot.x.at(start), top, plot.x.at(end) - plot.x.at(start), bottom - top, "band")
        for start, end in pairs
    )


def rounds_a_band(rounds: int) -> int:
    """How many rounds share one shade, so that bands stay wide enough to be seen."""
    return max(1, -(-rounds // MOST_BANDS))


def _told_above(plot: Plot, above: Sequence[float]) -> Markup:
    if not above:
        return Markup("")
    text = f"▲ {len(above)} above the axis, up to {max(above):.3g} ms"
    return words(plot.x.end, plot.y.end - 8, text, anchor="end", classes="note")


def _description(runs: TimedRuns, above: Sequence[float]) -> str:
    count, rounds, openings = len(runs.latency_ms), len(set(runs.round)), len(set(runs.opening))
    outliers = sum(runs.outlier)
    return (
        f"{count} runs in {rounds} rounds and {openings} openings, median {median(runs.latency_ms):.4g} ms, from "
        f"{min(runs.latency_ms):.4g} to {max(runs.latency_ms):.4g} ms; {outliers} marked as outliers, "
        f"{len(above)} of them above the axis."
    )
