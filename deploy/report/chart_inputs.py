"""Does the image matter: the median of each input that was fed, and the range in which they lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from markupsafe import Markup

from condmix.deploy.report.axis import padded
from condmix.deploy.report.plot import AxisPlan, Plot
from condmix.deploy.report.series import marker
from condmix.deploy.report.svg import line, picture

HEIGHT = 190.0


@dataclass(frozen=True, kw_only=True)
class InputMedian:
    """One of the inputs, by its number, and the median of its runs in ms."""

    number: int
    median_ms: float


def inputs_chart(inputs: Sequence[InputMedian], *, identity: str, index: int, title: str) -> Markup:
    """The picture of one input or more, a marker each, with a line at the median of them all."""
    low, high = padded([one.median_ms for one in inputs], share=0.4)
    numbers = [one.number for one in inputs]
    plot = Plot.of(
        AxisPlan(
            low=min(numbers) - 0.5, high=max(numbers) + 0.5, title="input", ticks=tuple(map(float, sorted(numbers)))
        ),
        AxisPlan(low=low, high=high, title="median of its runs, ms"),
        height=HEIGHT,
    )
    middle = plot.y.at(median(one.median_ms for one in inputs))
    return picture(
        plot.frame(),
        line(plot.x.start, middle, plot.x.end, middle, "median"),
        *(marker(index, *plot.at(one.number, one.median_ms)) for one in inputs),
        height=HEIGHT,
        identity=identity,
        title=title,
        description=", ".join(f"input {one.number}: {one.median_ms:.4g} ms" for one in inputs),
    )
