"""The roofline: what each layer achieves, below what this core can compute and what its memory can deliver."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from condmix.deploy.report.axis import padded
from condmix.deploy.report.placement import place_labels
from condmix.deploy.report.plot import TOP, AxisPlan, Plot
from condmix.deploy.report.svg import TEXT_SIZE, WIDTH, element, number, picture, polyline, words

HEIGHT = 300.0
MOST_LABELS = 10


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One module: multiply-adds and bytes of one inference, both above 0, and its time in microseconds.

    rank: its place among all modules, the longest being 1.
    """

    rank: int
    name: str
    multiply_adds: float
    bytes: float
    time_us: float
    bound: str | None

    @property
    def intensity(self) -> float:
        """Multiply-adds for each byte moved."""
        return self.multiply_adds / self.bytes

    @property
    def multiply_adds_per_second(self) -> float:
        """What was achieved."""
        return self.multiply_adds / self.time_us * 1e6


def roofline_chart(
    layers: Sequence[Layer],
    *,
    identity: str,
    title: str,
    peaks: Mapping[str, float],
    bytes_per_second: float,
) -> Markup:
    """The picture of one layer or more, the longest first: the first MOST_LABELS have their rank beside them.

    peaks: arithmetic -> multiply-adds a second that this core reached; one or more, each a roof.
    """
    ridges = [peak / bytes_per_second for peak in peaks.values()]
    low, high = padded([*ridges, *(layer.intensity for layer in layers)], logarithmic=True, share=0.08)
    speeds = [layer.multiply_adds_per_second for layer in layers]
    y_low, y_high = padded([*speeds, *peaks.values(), low * bytes_per_second], logarithmic=True, share=0.06)
    plot = Plot.of(
        AxisPlan(low=low, high=high, title="multiply-adds for each byte", logarithmic=True),
        AxisPlan(low=y_low, high=y_high, title="multiply-adds each second", logarithmic=True),
        height=HEIGHT,
    )
    places = [plot.at(layer.intensity, layer.multiply_adds_per_second) for layer in layers]
    ranks = [str(layer.rank) for layer in layers[:MOST_LABELS]]
    labels = place_labels(places[: len(ranks)], ranks, within=(plot.x.start, TOP, WIDTH, plot.y.start))
    return picture(
        plot.frame(),
        *(_roof(plot, name, peak, bytes_per_second, alone=len(peaks) == 1) for name, peak in peaks.items()),
        *(_mark(layer, x, y) for layer, (x, y) in zip(layers, places, strict=True)),
        *(
            words(x, y + TEXT_SIZE * 0.35, rank, anchor="middle", classes="letter")
            for rank, (x, y) in zip(ranks, labels, strict=True)
        ),
        height=HEIGHT,
        identity=identity,
        title=title,
        description=_description(layers, peaks, bytes_per_second),
    )


def _roof(plot: Plot, name: str, peak: float, bytes_per_second: float, *, alone: bool) -> Markup:
    """The slope of the memory up to where the arithmetic is the limit, then flat."""
    low, high = plot.x.low, plot.x.high
    corners = [plot.at(low, low * bytes_per_second), plot.at(peak / bytes_per_second, peak), plot.at(high, peak)]
    text = "measured peak" if alone else f"peak, {name}"
    return polyline(corners, "roof") + words(plot.x.end, corners[1][1] - 5, text, anchor="end", classes="note")


def _mark(layer: Layer, x: float, y: float) -> Markup:
    """A full disc where compute is the limit, a hollow triangle where memory is, a square where neither is told."""
    if layer.bound == "compute":
        drawn, classes = f"M{number(x - 4)} {number(y)}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z", "marker c0"
    elif layer.bound == "memory":
        drawn, classes = f"M{number(x)} {number(y - 5)}l5 9h-10Z", "hollow-marker c1"
    else:
        drawn, classes = f"M{number(x - 3)} {number(y - 3)}h6v6h-6Z", "hollow-marker"
    tooltip = Markup("<title>{}</title>").format(layer.name)
    return element("path", {"d": drawn, "class": classes}, tooltip)


def _description(layers: Sequence[Layer], peaks: Mapping[str, float], bytes_per_second: float) -> str:
    bounds = [sum(layer.bound == bound for layer in layers) for bound in ("compute", "memory")]
    roofs = ", ".join(f"{name} {peak / 1e9:.3g} G" for name, peak in peaks.items())
    return (
        f"{len(layers)} modules: {bounds[0]} bound by compute, {bounds[1]} by memory. Multiply-adds a second at most: "
        f"{roofs}; {bytes_per_second / 1e9:.3g} GB a second: all measured on this core."
    )
