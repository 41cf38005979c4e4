"""Accuracy against latency, with the size of the file as the area of a disc: who pays what for how much."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from condmix.deploy.report.axis import padded
from condmix.deploy.report.placement import place_labels
from condmix.deploy.report.plot import TOP, AxisPlan, Plot
from condmix.deploy.report.series import colour_class, letter, marker
from condmix.deploy.report.svg import TEXT_SIZE, WIDTH, element, line, picture, words

HEIGHT = 270.0
LARGEST_RADIUS = 26.0


@dataclass(frozen=True, kw_only=True)
class Tradeoff:
    """One subject: median latency and its interval in ms, the size of its file, top-1 accuracy from 0 to 1."""

    index: int
    name: str
    median_ms: float
    low_ms: float | None
    high_ms: float | None
    size_bytes: int
    top1: float


def scatter_chart(points: Sequence[Tradeoff], *, identity: str, title: str) -> Markup:
    """The picture of one point or more."""
    ends = [end for point in points for end in (point.low_ms, point.median_ms, point.high_ms) if end is not None]
    x_low, x_high = padded(ends, share=0.15)
    y_low, y_high = padded([100 * point.top1 for point in points], share=0.2)
    plot = Plot.of(
        AxisPlan(low=max(x_low, 0.0), high=x_high, title="median latency, ms"),
        AxisPlan(low=y_low, high=y_high, title="top-1, %"),
        height=HEIGHT,
    )
    largest = max(point.size_bytes for point in points) or 1
    places = [plot.at(point.median_ms, 100 * point.top1) for point in points]
    letters = [letter(point.index) for point in points]
    labels = place_labels(places, letters, within=(plot.x.start, TOP, WIDTH, plot.y.start))
    parts = []
    for point, (x, y) in zip(points, places, strict=True):
        radius = LARGEST_RADIUS * math.sqrt(point.size_bytes / largest)
        disc: dict[str, str | float] = {"cx": x, "cy": y, "r": radius, "class": f"disc {colour_class(point.index)}"}
        parts.append(element("circle", disc))
    for point, (x, y) in zip(points, places, strict=True):
        if point.low_ms is not None and point.high_ms is not None:
            parts.append(line(plot.x.at(point.low_ms), y, plot.x.at(point.high_ms), y, "whisker"))
        parts.append(marker(point.index, x, y))
    for text, (x, y) in zip(letters, labels, strict=True):
        parts.append(words(x, y + TEXT_SIZE * 0.35, text, anchor="middle", classes="letter"))
    return picture(
        plot.frame(),
        *parts,
        height=HEIGHT,
        identity=identity,
        title=title,
        description="; ".join(
            f"{letter(point.index)} {point.name}: {point.median_ms:.4g} ms, {100 * point.top1:.2f} % top-1, "
            f"{point.size_bytes / 1e6:.2f} MB"
            for point in points
        ),
    )
