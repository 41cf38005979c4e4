"""Medians by input."""

from __future__ import annotations

from condmix.deploy.report.chart_inputs import InputMedian, inputs_chart
from tests.deploy.report.drawing import description, of_class, texts


def test_a_marker_for_each_input_and_a_line_at_their_median() -> None:
    inputs = [InputMedian(number=number, median_ms=10 + number) for number in (0, 1, 2)]
    svg = inputs_chart(inputs, identity="i", index=0, title="i")
    markers = [mark.attrib["d"] for mark in of_class(svg, "marker")]
    (line,) = of_class(svg, "median")
    middle = line.attrib["d"].split()[1].split("L")[0]
    assert len(markers) == 3
    assert f" {middle}a" in markers[1]
    assert {"0", "1", "2"} <= set(texts(svg))
    assert description(svg) == "input 0: 10 ms, input 1: 11 ms, input 2: 12 ms"
