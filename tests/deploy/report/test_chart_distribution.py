"""The distribution: a staircase from 0 to 100 %, the interval behind it, runs beyond the axis counted."""

from __future__ import annotations

import re

import pytest

from condmix.deploy.report.chart_distribution import MOST_STEPS, Distribution, distribution_chart, is_wide
from tests.deploy.report.drawing import description, of_class, texts


def _curve(
    latency_ms: list[float], index: int = 0, low: float | None = None, high: float | None = None
) -> Distribution:
    median = sorted(latency_ms)[len(latency_ms) // 2]
    return Distribution(index=index, latency_ms=latency_ms, median_ms=median, low_ms=low, high_ms=high)


def _corners(svg: str) -> list[tuple[float, float]]:
    (path,) = of_class(svg, "series")
    return [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)", path.attrib["d"])]


@pytest.mark.parametrize("count", [1, 2, 10, 5000])
def test_the_staircase_rises_from_nothing_to_all(count: int) -> None:
    svg = distribution_chart([_curve([1 + 0.01 * place for place in range(count)])], identity="d", title="d")
    corners = _corners(svg)
    assert len(corners) <= 2 * MOST_STEPS + 2
    assert corners == sorted(corners, key=lambda corner: (corner[0], -corner[1]))
    assert (corners[0][1], corners[-1][1]) == (180, 22)


def test_the_interval_is_drawn_only_where_there_is_one() -> None:
    with_one = distribution_chart([_curve([1.0, 2.0, 3.0], low=1.5, high=2.5)], identity="d", title="d")
    without = distribution_chart([_curve([1.0, 2.0, 3.0])], identity="d", title="d")
    assert (len(of_class(with_one, "interval")), len(of_class(without, "interval"))) == (1, 0)
    assert (description(with_one), description(without)) == ("Median 2 ms (1.5 to 2.5).", "Median 2 ms.")


def test_runs_beyond_the_axis_are_told() -> None:
    svg = distribution_chart([_curve([1.0, 1.1, 1.2, 9.0])], identity="d", title="d", usual_high_ms=1.2)
    assert "1 beyond the axis, up to 9 ms" in texts(svg)
    assert _corners(svg)[-1][1] == pytest.approx(22 + 158 / 4, abs=0.1)


def test_medians_far_apart_get_a_logarithmic_axis() -> None:
    near, far = [_curve([1.0, 1.1]), _curve([3.0], 1)], [_curve([1.0, 1.1]), _curve([30.0], 1)]
    assert (is_wide(near), is_wide(far)) == (False, True)
    assert "latency, ms (logarithmic)" in texts(distribution_chart(far, identity="d", title="d"))
    assert len(of_class(distribution_chart(far, identity="d", title="d"), "marker")) == 2
