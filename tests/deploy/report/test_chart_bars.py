"""Bars: lengths in proportion, names whole in the title, memory-bound ones striped."""

from __future__ import annotations

import pytest

from condmix.deploy.report.chart_bars import Bar, bar_chart
from tests.deploy.report.drawing import SPACE, of_class, texts, tree

LONG = "blocks.5.3.conv_pwl." + "x" * 80
BARS = [
    Bar(label="one", value=4.0, text="4 µs"),
    Bar(label=LONG, value=2.0, text="2 µs", fill="memory"),
    Bar(label="none", value=0.0, text="0 µs"),
]


def test_lengths_are_in_proportion() -> None:
    widths = [float(bar.attrib["width"]) for bar in of_class(bar_chart(BARS, identity="b", title="b"), "bar")]
    assert widths == pytest.approx([356, 178, 0])


def test_a_long_name_is_shortened_in_sight_and_whole_under_the_pointer() -> None:
    svg = bar_chart(BARS, identity="b", title="b")
    assert LONG not in texts(svg)
    assert f"{LONG}: 2 µs" in [element.text for element in tree(svg).iter(f"{SPACE}title")]


def test_memory_bound_bars_are_told_apart_without_colour() -> None:
    assert len(of_class(bar_chart(BARS, identity="b", title="b"), "stripes")) == 1


def test_bars_of_nothing_are_drawn() -> None:
    assert len(of_class(bar_chart(BARS[2:], identity="b", title="b"), "bar")) == 1
