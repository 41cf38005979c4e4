"""Routing weights of one block over the images: how often each weight occurs, in all and expert by expert."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from condmix.deploy.report.axis import Axis
from condmix.deploy.report.svg import (
    TEXT_SIZE,
    WIDTH,
    element,
    group,
    number,
    picture,
    rectangle,
    tooltip,
    words,
)

BARS_TOP = 6.0
BARS_HEIGHT = 78.0
ROW = 15.0
LEFT = 30.0
RIGHT = 12.0


@dataclass(frozen=True, kw_only=True)
class RoutingHistogram:
    """counts[expert][bin] of the weights between bin_edges[bin] and bin_edges[bin + 1]; mean weight of each expert."""

    block: str
    bin_edges: Sequence[float]
    counts: Sequence[Sequence[int]]
    mean: Sequence[float]


def routing_chart(histogram: RoutingHistogram, *, identity: str) -> Markup:
    """The picture of one block: bars for all experts together, below a row for each expert, darker where more lie."""
    edges = histogram.bin_edges
    axis = Axis(low=edges[0], high=edges[-1], start=LEFT, end=WIDTH - RIGHT)
    totals = [sum(of_bin) for of_bin in zip(*histogram.counts, strict=True)]
    rows_top = BARS_TOP + BARS_HEIGHT + 8
    bottom = rows_top + ROW * len(histogram.counts)
    return picture(
        _bars(axis, edges, totals),
        *(_expert(axis, histogram, expert, top=rows_top + ROW * expert) for expert in range(len(histogram.counts))),
        *_ticks(axis, bottom),
        height=bottom + 2 * TEXT_SIZE + 12,
        identity=identity,
        title=f"Routing weights of {histogram.block}",
        description=_description(histogram, totals),
    )


def _bars(axis: Axis, edges: Sequence[float], totals: Sequence[int]) -> Markup:
    most = max(totals, default=0) or 1
    base = BARS_TOP + BARS_HEIGHT
    parts = []
    for left, right, count in zip(edges, edges[1:], totals, strict=False):
        height = BARS_HEIGHT * count / most
        x, end = axis.at(left), axis.at(right)
        bar = rectangle(x + 0.5, base - height, end - x - 1, height, "bar plain")
        parts.append(group(tooltip(f"{left:.2f} to {right:.2f}: {count}"), bar))
    baseline = element("path", {"d": f"M{number(axis.start)} {number(base)}H{number(axis.end)}", "class": "axis"})
    scale = words(LEFT - 6, BARS_TOP + TEXT_SIZE * 0.8, str(most), anchor="end", classes="tick")
    return group(*parts, baseline, scale)


def _expert(axis: Axis, histogram: RoutingHistogram, expert: int, *, top: float) -> Markup:
    counts = histogram.counts[expert]
    most = max((max(row, default=0) for row in histogram.counts), default=0) or 1
    parts = [words(LEFT - 6, top + TEXT_SIZE, str(expert), anchor="end", classes="tick")]
    for left, right, count in zip(histogram.bin_edges, histogram.bin_edges[1:], counts, strict=False):
        if count:
            x, end = axis.at(left), axis.at(right)
            parts.append(rectangle(x, top + 2, end - x, ROW - 3, "heat", opacity=0.12 + 0.88 * count / most))
    mean = axis.at(histogram.mean[expert])
    mark = element("path", {"d": f"M{number(mean)} {number(top + 1)}v{number(ROW - 1)}", "class": "mean"})
    return group(tooltip(f"expert {expert}: mean {histogram.mean[expert]:.3f}"), *parts, mark)


def _ticks(axis: Axis, bottom: float) -> list[Markup]:
    parts = [
        words(axis.at(value), bottom + TEXT_SIZE + 2, text, anchor="middle", classes="tick")
        for value, text in axis.labelled_ticks(5, across=True)
    ]
    title = words(WIDTH - RIGHT, bottom + 2 * TEXT_SIZE + 8, "routing weight", anchor="end", classes="axis-title")
    return [*parts, title]


def _description(histogram: RoutingHistogram, totals: Sequence[int]) -> str:
    middle = len(totals) // 3
    share = sum(totals[middle : len(totals) - middle]) / (sum(totals) or 1)
    means = ", ".join(f"{mean:.2f}" for mean in histogram.mean)
    return (
        f"{sum(totals)} weights of {len(histogram.counts)} experts, {share:.0%} of them in the middle third of the "
        f"range; mean of each expert {means}. Rows below the bars are the experts, darker where more weights lie."
    )
