"""Accuracy against latency: area is size, whiskers are intervals, letters are apart."""

from __future__ import annotations

import pytest

from condmix.deploy.report.chart_scatter import LARGEST_RADIUS, Tradeoff, scatter_chart
from tests.deploy.report.drawing import description, of_class

POINTS = [
    Tradeoff(index=0, name="a", median_ms=10.0, low_ms=9.0, high_ms=11.0, size_bytes=4_000_000, top1=0.93),
    Tradeoff(index=1, name="b", median_ms=5.0, low_ms=None, high_ms=None, size_bytes=1_000_000, top1=0.9),
]


def test_areas_are_sizes() -> None:
    radii = [float(disc.attrib["r"]) for disc in of_class(scatter_chart(POINTS, identity="s", title="s"), "disc")]
    assert radii == pytest.approx([LARGEST_RADIUS, LARGEST_RADIUS / 2])


def test_better_is_up_and_to_the_left() -> None:
    first, second = of_class(scatter_chart(POINTS, identity="s", title="s"), "disc")
    assert float(first.attrib["cx"]) > float(second.attrib["cx"])
    assert float(first.attrib["cy"]) < float(second.attrib["cy"])


def test_a_whisker_needs_an_interval() -> None:
    svg = scatter_chart(POINTS, identity="s", title="s")
    assert len(of_class(svg, "whisker")) == 1
    assert [mark.text for mark in of_class(svg, "letter")] == ["A", "B"]
    assert description(svg) == "A a: 10 ms, 93.00 % top-1, 4.00 MB; B b: 5 ms, 90.00 % top-1, 1.00 MB"


def test_one_point_and_a_file_without_bytes_are_drawn() -> None:
    only = Tradeoff(index=0, name="a", median_ms=1.0, low_ms=None, high_ms=None, size_bytes=0, top1=1.0)
    assert len(of_class(scatter_chart([only], identity="s", title="s"), "marker")) == 1
