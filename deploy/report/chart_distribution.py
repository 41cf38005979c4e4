"""The distribution of latencies: the share of runs that took at most so long, with the median and its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from condmix.deploy.report.axis import padded
from condmix.deploy.report.plot import AxisPlan, Plot
from condmix.deploy.report.series import line_classes, marker
from condmix.deploy.report.svg import line, picture, polyline, rectangle, words

HEIGHT = 220.0
MOST_STEPS = 200
WIDE_RANGE = 4.0
"""Medians further apart than this factor get a logarithmic axis."""


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """The latencies of one subject; `low_ms` and `high_ms` hold the median with the report's confidence, or None."""

    index: int
    latency_ms: Sequence[float]
    median_ms: float
    low_ms: float | None
    high_ms: float | None


def distribution_chart(
    curves: Sequence[Distribution], *, identity: str, title: str, usual_high_ms: float | None = None
) -> Markup:
    """The picture of one curve or more, each of at least one run.

    usual_high_ms: where the axis may end when single runs took far longer; they are counted in words then.
    """
    every = [ms for curve in curves for ms in curve.latency_ms]
    logarithmic = is_wide(curves)
    longest = max(every)
    end = longest if usual_high_ms is None else min(max(usual_high_ms, max(c.median_ms for c in curves)), longest)
    low, high = padded([min(every), end], logarithmic=logarithmic)
    plot = Plot.of(
        AxisPlan(
            low=low, high=high, title="latency, ms" + (" (logarithmic)" if logarithmic else ""), logarithmic=logarithmic
        ),
        AxisPlan(low=0.0, high=100.0, title="runs that took at most so long, %"),
        height=HEIGHT,
    )
    beyond = sum(ms > high for ms in every)
    return picture(
        plot.frame(),
        *(_interval(plot, curve) for curve in curves),
        *(polyline(_steps(plot, curve.latency_ms), line_classes(curve.index)) for curve in curves),
        *(marker(curve.index, *plot.at(curve.median_ms, 50.0)) for curve in curves),
        _told_beyond(plot, beyond, longest),
        height=HEIGHT,
        identity=identity,
        title=title,
        description=_description(curves, beyond),
    )


def is_wide(curves: Sequence[Distribution]) -> bool:
    """Whether medians lie so far apart that only a logarithmic axis shows all shapes."""
    medians = [curve.median_ms for curve in curves]
    return min(min(curve.latency_ms) for curve in curves) > 0 and max(medians) > WIDE_RANGE * min(medians)


def _steps(plot: Plot, latency_ms: Sequence[float]) -> list[tuple[float, float]]:
    """The corners of the staircase, of at most MOST_STEPS of the runs; the first and the last are always among them."""
    ordered = sorted(ms for ms in latency_ms)
    count = len(ordered)
    chosen = sorted({round(step * (count - 1) / (MOST_STEPS - 1)) for step in range(MOST_STEPS)})
    corners = [plot.at(ordered[0], 0.0)]
    for place in chosen:
        if ordered[place] > plot.x.high:
            break
        x, y = plot.at(ordered[place], 100.0 * (place + 1) / count)
        corners += [(x, corners[-1][1]), (x, y)]
    corners.append((plot.x.end, corners[-1][1]))
    return corners


def _interval(plot: Plot, curve: Distribution) -> Markup:
    if curve.low_ms is None or curve.high_ms is None:
        return Markup("")
    left, right = plot.x.at(curve.low_ms), plot.x.at(curve.high_ms)
    y = plot.y.at(50.0)
    shade = rectangle(left, plot.y.end, max(right - left, 1.0), plot.y.start - plot.y.end, "interval")
    return shade + line(left, y, right, y, "interval-line")


def _told_beyond(plot: Plot, beyond: int, longest: float) -> Markup:
    if not beyond:
        return Markup("")
    text = f"{beyond} beyond the axis, up to {longest:.3g} ms"
    return words(2, plot.height - 5, text, classes="note")


def _description(curves: Sequence[Distribution], beyond: int) -> str:
    single = len(curves) == 1
    medians = ", ".join(_median_words(curve) for curve in curves)
    text = f"Median {medians}." if single else f"{len(curves)} subjects with medians {medians}."
    return f"{text} {beyond} runs lie beyond the axis." if beyond else text


def _median_words(curve: Distribution) -> str:
    if curve.low_ms is None or curve.high_ms is None:
        return f"{curve.median_ms:.4g} ms"
    return f"{curve.median_ms:.4g} ms ({curve.low_ms:.4g} to {curve.high_ms:.4g})"
