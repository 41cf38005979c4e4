"""The roofline: layers below the roof are drawn below it, and each bound has its own mark."""

from __future__ import annotations

import re

import pytest

from condmix.deploy.report.chart_roofline import Layer, roofline_chart
from tests.deploy.report.drawing import description, of_class, texts

LAYERS = [
    Layer(rank=1, name="conv", multiply_adds=1e7, bytes=1e6, time_us=1000.0, bound="compute"),
    Layer(rank=2, name="dw", multiply_adds=1e6, bytes=1e6, time_us=500.0, bound="memory"),
    Layer(rank=4, name="se", multiply_adds=1e3, bytes=1e3, time_us=10.0, bound=None),
]


def _chart(**peaks: float) -> str:
    return roofline_chart(LAYERS, identity="r", title="r", peaks=peaks or {"float32": 2e10}, bytes_per_second=1e10)


def test_intensity_and_speed() -> None:
    assert LAYERS[0].intensity == 10
    assert LAYERS[0].multiply_adds_per_second == pytest.approx(1e10)


def test_the_roof_bends_where_memory_and_arithmetic_meet() -> None:
    (roof,) = of_class(_chart(), "roof")
    corners = [(float(x), float(y)) for x, y in re.findall(r"([\d.]+) ([\d.]+)", roof.attrib["d"])]
    assert len(corners) == 3
    assert corners[0][1] > corners[1][1] == corners[2][1]


def test_two_arithmetics_have_two_roofs_on_one_slope() -> None:
    svg = _chart(float32=2e10, int8=8e10)
    assert len(of_class(svg, "roof")) == 2
    assert {"peak, float32", "peak, int8"} <= set(texts(svg))
    assert "measured peak" in texts(_chart())


def test_bounds_are_told_apart_by_shape_and_ranks_are_those_of_the_modules() -> None:
    svg = _chart()
    assert (len(of_class(svg, "marker")), len(of_class(svg, "hollow-marker"))) == (1, 2)
    assert [mark.text for mark in of_class(svg, "letter")] == ["1", "2", "4"]
    assert description(svg).startswith(
        "3 modules: 1 bound by compute, 1 by memory. Multiply-adds a second at most: float32 20 G"
    )
