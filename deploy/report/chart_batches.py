"""The batch curve: what one image costs when several are computed in one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from condmix.deploy.report.plot import AxisPlan, Plot
from condmix.deploy.report.series import line_classes, marker
from condmix.deploy.report.svg import picture, polyline

HEIGHT = 230.0


@dataclass(frozen=True, kw_only=True)
class BatchCurve:
    """The batch sizes of one file, ascending, and the time of one image at each, in ms."""

    index: int
    name: str
    batch: Sequence[int]
    image_ms: Sequence[float]


def batch_chart(curves: Sequence[BatchCurve], *, identity: str, title: str) -> Markup:
    """The picture of one curve or more, from 0 ms, each batch size at its own place."""
    sizes = sorted({size for curve in curves for size in curve.batch})
    longest = max(ms for curve in curves for ms in curve.image_ms)
    # Batch sizes double, so they are evenly spaced in the logarithm.
    plot = Plot.of(
        AxisPlan(
            low=sizes[0] * 0.9,
            high=sizes[-1] * 1.1,
            title="images in one call",
            logarithmic=True,
            ticks=tuple(map(float, sizes)),
        ),
        AxisPlan(low=0.0, high=longest * 1.08 or 1.0, title="time of one image, ms"),
        height=HEIGHT,
    )
    parts = []
    for curve in curves:
        places = [plot.at(size, ms) for size, ms in zip(curve.batch, curve.image_ms, strict=True)]
        parts.append(polyline(places, line_classes(curve.index)))
        parts += [marker(curve.index, x, y) for x, y in places]
    return picture(
        plot.frame(),
        *parts,
        height=HEIGHT,
        identity=identity,
        title=title,
        description="; ".join(_curve_words(curve) for curve in curves),
    )


def _curve_words(curve: BatchCurve) -> str:
    points = ", ".join(f"batch {size}: {ms:.4g} ms" for size, ms in zip(curve.batch, curve.image_ms, strict=True))
    return f"{curve.name}: {points}"
