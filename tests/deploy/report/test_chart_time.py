"""Latency over time: every run is drawn, outliers are marked, those beyond the axis are counted."""

from __future__ import annotations

from condmix.deploy.report.chart_time import MOST_BANDS, TimedRuns, rounds_a_band, time_chart
from tests.deploy.report.drawing import description, of_class, texts


def _runs(latency_ms: list[float], *, outlier: list[bool] | None = None, block: int = 5) -> TimedRuns:
    count = len(latency_ms)
    return TimedRuns(
        start_s=[0.1 * place for place in range(count)],
        latency_ms=latency_ms,
        round=[place // block for place in range(count)],
        opening=[place // block % 2 for place in range(count)],
        outlier=outlier or [False] * count,
    )


def _chart(runs: TimedRuns, rounds: int = 4) -> str:
    starts = [0.5 * number for number in range(rounds)]
    return time_chart(runs, identity="t", index=0, title="t", end_s=0.5 * rounds, round_start_s=starts)


def _marks(svg: str, name: str) -> int:
    return sum(element.attrib["d"].count("M") for element in of_class(svg, name))


def test_every_run_is_drawn_once_and_openings_apart() -> None:
    svg = _chart(_runs([10 + 0.01 * place for place in range(20)]))
    assert [_marks(svg, f"opening{number}") for number in range(3)] == [10, 10, 0]
    assert _marks(svg, "outlier") == 0


def test_outliers_are_marked_and_those_above_the_axis_counted() -> None:
    latency = [10.0, 10.1, 9.9, 10.2, 9.8, 10.0, 10.1, 9.9, 8.0, 50.0]
    svg = _chart(_runs(latency, outlier=[False] * 8 + [True, True]), rounds=2)
    assert (_marks(svg, "dots"), _marks(svg, "outlier"), _marks(svg, "beyond")) == (8, 2, 1)
    assert "▲ 1 above the axis, up to 50 ms" in texts(svg)
    assert description(svg) == (
        "10 runs in 2 rounds and 2 openings, median 10 ms, from 8 to 50 ms; 2 marked as outliers, "
        "1 of them above the axis."
    )


def test_a_line_joins_the_medians_of_the_rounds() -> None:
    (line,) = of_class(_chart(_runs([10.0] * 20)), "round-median")
    assert line.attrib["d"].count("L") == 3


def test_with_many_rounds_the_line_joins_medians_of_a_few() -> None:
    runs = _runs([10.0 + place % 7 for place in range(2000)])
    (line,) = of_class(_chart(runs, rounds=400), "round-median")
    assert line.attrib["d"].count("L") == 39


def test_every_other_round_has_a_shade() -> None:
    runs = _runs([10.0 + place % 3 for place in range(20)])
    assert [len(of_class(_chart(runs, rounds), "band")) for rounds in (1, 2, 4, 5)] == [0, 1, 2, 2]
    assert len(of_class(_chart(runs, 400), "band")) <= MOST_BANDS / 2
    assert (rounds_a_band(40), rounds_a_band(41), rounds_a_band(0)) == (1, 2, 1)


def test_one_run_is_a_chart_too() -> None:
    assert _marks(_chart(_runs([3.0]), rounds=1), "dots") == 1
