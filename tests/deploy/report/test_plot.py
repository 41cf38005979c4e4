"""The frame of a chart: texts inside the picture, also the long ones."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from condmix.deploy.report.plot import AxisPlan, Plot
from condmix.deploy.report.svg import WIDTH, text_width


def _texts(plot: Plot) -> list[tuple[float, float, str]]:
    """(left, right, text) of every text in the frame."""
    found = []
    for element in ElementTree.fromstring(plot.frame()).iter("text"):
        text, x = element.text or "", float(element.attrib["x"])
        width = text_width(text)
        left = x - {"end": width, "middle": width / 2}.get(element.attrib.get("text-anchor", ""), 0.0)
        found.append((left, left + width, text))
    return found


@pytest.mark.parametrize(
    ("low", "high", "logarithmic"), [(0, 1, False), (14.73, 16.26, False), (1e9, 3e11, True), (0.0, 12345678.0, False)]
)
def test_texts_lie_inside_the_picture(low: float, high: float, logarithmic: bool) -> None:
    plan = AxisPlan(low=low, high=high, title="a title", logarithmic=logarithmic)
    texts = _texts(Plot.of(plan, plan, height=200))
    assert len(texts) >= 6
    assert all(left >= -0.5 and right <= WIDTH + 0.5 for left, right, _ in texts)


def test_given_ticks_that_do_not_fit_have_no_text() -> None:
    x = AxisPlan(low=0.5, high=60, title="x", ticks=tuple(map(float, range(1, 60))))
    across = Plot.of(x, AxisPlan(low=0, high=1, title="y"), height=200)._across()
    told = [(across_value, text) for across_value, text in across if text]
    assert len(across) == 59
    assert 5 < len(told) < 30
    assert told[0] == (1.0, "1")


def test_a_point_lies_where_its_axes_say() -> None:
    plan = AxisPlan(low=0, high=10, title="")
    plot = Plot.of(plan, plan, height=200)
    assert plot.at(0, 0) == (plot.x.start, plot.y.start)
    assert plot.at(10, 10) == (plot.x.end, plot.y.end)
    assert plot.y.end < plot.y.start
