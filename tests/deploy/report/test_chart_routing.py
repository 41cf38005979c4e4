"""Routing histograms: bars of all experts, a row each, and the mean."""

from __future__ import annotations

import pytest

from condmix.deploy.report.chart_routing import RoutingHistogram, routing_chart
from tests.deploy.report.drawing import description, of_class, texts

TWO_HEAPS = RoutingHistogram(
    block="blocks.5", bin_edges=(0.0, 0.25, 0.5, 0.75, 1.0), counts=((6, 0, 0, 2), (2, 0, 1, 5)), mean=(0.3, 0.7)
)


def test_bars_are_sums_over_the_experts() -> None:
    bars = of_class(routing_chart(TWO_HEAPS, identity="r"), "bar")
    heights = [float(bar.attrib["height"]) for bar in bars]
    assert heights == pytest.approx([78, 0, 78 / 8, 78 * 7 / 8], abs=0.06)


def test_rows_are_darker_where_more_lie_and_empty_bins_stay_empty() -> None:
    heat = of_class(routing_chart(TWO_HEAPS, identity="r"), "heat")
    assert [float(cell.attrib["fill-opacity"]) for cell in heat] == pytest.approx(
        [1.0, 0.12 + 0.88 / 3, 0.12 + 0.88 / 3, 0.12 + 0.88 / 6, 0.12 + 0.88 * 5 / 6], abs=1e-3
    )


def test_means_lie_on_the_axis_of_the_bins() -> None:
    svg = routing_chart(TWO_HEAPS, identity="r")
    places = [float(mark.attrib["d"][1:].split()[0]) for mark in of_class(svg, "mean")]
    assert places == pytest.approx([30 + 318 * 0.3, 30 + 318 * 0.7], abs=0.06)
    assert {"0", "1", "0.00", "1.00", "8"} <= set(texts(svg))


def test_it_is_told_to_readers() -> None:
    assert description(routing_chart(TWO_HEAPS, identity="r")).startswith(
        "16 weights of 2 experts, 6% of them in the middle third of the range; mean of each expert 0.30, 0.70."
    )


def test_a_histogram_without_a_weight_is_drawn() -> None:
    empty = RoutingHistogram(block="b", bin_edges=(0.0, 1.0), counts=((0,),), mean=(0.0,))
    assert of_class(routing_chart(empty, identity="r"), "heat") == []
