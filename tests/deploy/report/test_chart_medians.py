"""Medians side by side, from zero."""

from __future__ import annotations

from condmix.deploy.report.chart_medians import MedianRow, medians_chart
from tests.deploy.report.drawing import description, of_class, texts

FULL = MedianRow(index=0, name="a", median_ms=10.0, low_ms=9.0, high_ms=11.0, p90_ms=20.0)
BARE = MedianRow(
    index=1,
    name="a name far too long for the room that is left beside the figure",
    median_ms=5.0,
    low_ms=None,
    high_ms=None,
    p90_ms=None,
)


def test_a_row_shows_what_there_is() -> None:
    svg = medians_chart([FULL, BARE], identity="m", title="m")
    assert [len(of_class(svg, name)) for name in ("stem", "interval", "p90", "marker")] == [2, 1, 1, 2]
    assert "A  a" in texts(svg)
    assert {"10.00 ms", "5.000 ms"} <= set(texts(svg))
    assert description(svg) == f"A a: 10 ms; B {BARE.name}: 5 ms"


def test_lengths_begin_at_zero() -> None:
    svg = medians_chart([FULL, BARE], identity="m", title="m")
    ends = [element.attrib["d"].split("L") for element in of_class(svg, "stem")]
    lengths = [float(end.split()[0]) - float(start[1:].split()[0]) for start, end in ends]
    assert abs(lengths[0] / lengths[1] - 2) < 0.01
    assert texts(svg).count("0") == 1
