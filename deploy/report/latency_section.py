"""Latency in pictures: the medians, the distributions, and every run over time."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from condmix.deploy.report.chart_distribution import Distribution, distribution_chart
from condmix.deploy.report.chart_medians import MedianRow, medians_chart
from condmix.deploy.report.chart_time import TimedRuns, rounds_a_band, time_chart
from condmix.deploy.report.numbers import milliseconds, plural
from condmix.deploy.report.parts import Figure, Group, Section, Table
from condmix.deploy.report.view import MeasuredSubject, ReportView
from condmix.runtime.bench.statistics import RUNS_FOR_PERCENTILE, is_outlier

MOST_ROWS = 40
QUARTILES = (25, 50, 75)
DECILES = (10, 20, 30, 40, 50, 60, 70, 80, 90)


def latency_section(view: ReportView) -> Section | None:
    """The pictures of all subjects with a timed run; None without one."""
    measured = view.measured
    if not measured:
        return None
    together = Group(
        sentences=("Wall time of single runs; the subjects had their turns in shuffled rounds.",),
        figures=(_medians(measured), _distributions(view, measured)),
    )
    over_time = Group(
        heading="Over time",
        sentences=(_time_words(view),),
        figures=[_over_time(view, one) for one in measured],
    )
    one_by_one = Group(
        heading="Distribution of each",
        sentences=("The shaded strip holds the median with 95 % (bootstrap over rounds).",),
        figures=[_distribution(view, one) for one in measured],
    )
    groups = [together, over_time] + ([one_by_one] if len(measured) > 1 else [])
    return Section(identity="latency", title="Latency", groups=groups)


def _medians(measured: Sequence[MeasuredSubject]) -> Figure:
    rows = [
        MedianRow(
            index=one.index,
            name=one.name,
            median_ms=one.steady.median_ns / 1e6,
            low_ms=_ms(one.steady.median_low_ns),
            high_ms=_ms(one.steady.median_high_ns),
            p90_ms=_ms(one.steady.p90_ns),
        )
        for one in measured
    ]
    return Figure(
        svg=medians_chart(rows, identity="medians", title="Median latency of each subject"),
        caption="Median with its 95 % interval (shaded) and p90 (stroke at the right end, where 100 runs support it). "
        "The figures are in the first table.",
    )


def _distributions(view: ReportView, measured: Sequence[MeasuredSubject]) -> Figure:
    curves = [_curve(one) for one in measured]
    return Figure(
        svg=distribution_chart(
            curves,
            identity="distributions",
            title="Distribution of the latency of all subjects",
            usual_high_ms=max(_usual_high_ms(one) for one in measured),
        ),
        caption="Share of runs that took at most so long; markers at the medians.",
        legend=tuple((one.index, one.name) for one in measured),
        data=_quantile_table(view, measured),
    )


def _over_time(view: ReportView, one: MeasuredSubject) -> Figure:
    samples = one.record.samples
    runs = TimedRuns(
        start_s=[start / 1e9 for start in samples.start_ns],
        latency_ms=[wall / 1e6 for wall in samples.wall_ns],
        round=samples.round,
        opening=samples.opening,
        outlier=[bool(marked) for marked in is_outlier(samples.wall_array())],
    )
    return Figure(
        svg=time_chart(
            runs,
            identity=f"time-{one.index}",
            index=one.index,
            title=f"Latency over time of {one.name}",
            end_s=view.span_s,
            round_start_s=view.round_start_s,
        ),
        caption=f"{view.label(one.name)}: {plural(one.steady.runs, 'run')}, {plural(one.steady.outliers, 'outlier')}.",
        data=_round_table(view, one),
    )


def _distribution(view: ReportView, one: MeasuredSubject) -> Figure:
    return Figure(
        svg=distribution_chart(
            [_curve(one)],
            identity=f"distribution-{one.index}",
            title=f"Distribution of the latency of {one.name}",
            usual_high_ms=_usual_high_ms(one),
        ),
        caption=f"{view.label(one.name)}: median {milliseconds(one.steady.median_ns)} ms.",
    )


def _curve(one: MeasuredSubject) -> Distribution:
    return Distribution(
        index=one.index,
        latency_ms=[wall / 1e6 for wall in one.record.samples.wall_ns],
        median_ms=one.steady.median_ns / 1e6,
        low_ms=_ms(one.steady.median_low_ns),
        high_ms=_ms(one.steady.median_high_ns),
    )


def _usual_high_ms(one: MeasuredSubject) -> float:
    """The longest run that is no outlier."""
    wall_ns = one.record.samples.wall_array()
    return float(wall_ns[~is_outlier(wall_ns)].max()) / 1e6


def _quantile_table(view: ReportView, measured: Sequence[MeasuredSubject]) -> Table:
    """Quartiles, and deciles of those subjects with enough runs for their outermost ones."""
    enough = [len(one.record.samples) >= RUNS_FOR_PERCENTILE[90] for one in measured]
    percents = DECILES if any(enough) else QUARTILES
    columns = ("subject", *(f"{percent} %, ms" for percent in percents))
    rows = tuple(
        (
            view.label(one.name),
            *(_quantile(one, percent) if supported or 20 <= percent <= 80 else "n too small" for percent in percents),
        )
        for one, supported in zip(measured, enough, strict=True)
    )
    return Table(
        columns=columns,
        rows=rows,
        numbers=frozenset(columns[1:]),
        title="Data: so long took that share of the runs at most",
        folded=True,
    )


def _quantile(one: MeasuredSubject, percent: int) -> str:
    ordered = sorted(one.record.samples.wall_ns)
    return milliseconds(ordered[max(-(-percent * len(ordered) // 100), 1) - 1])


def _round_table(view: ReportView, one: MeasuredSubject) -> Table:
    """Round by round, or a few rounds in one row where there are many."""
    samples = one.record.samples
    rounds = sorted(set(samples.round))
    stride = -(-len(rounds) // MOST_ROWS)
    rows = []
    for first in range(0, len(rounds), stride):
        chosen = set(rounds[first : first + stride])
        places = [place for place, number in enumerate(samples.round) if number in chosen]
        walls = [samples.wall_ns[place] for place in places]
        last = max(chosen)
        rows.append(
            (
                f"{min(chosen) + 1}" if len(chosen) == 1 else f"{min(chosen) + 1} to {last + 1}",
                f"{samples.start_ns[places[0]] / 1e9:.2f}",
                str(len(walls)),
                milliseconds(min(walls)),
                milliseconds(median(walls)),
                milliseconds(max(walls)),
            )
        )
    columns = ("round", "start, s", "runs", "minimum, ms", "median, ms", "maximum, ms")
    title = f"Data of {view.label(one.name)} (each run is in samples.csv)"
    return Table(columns=columns, rows=tuple(rows), numbers=frozenset(columns), title=title, folded=True)


def _time_words(view: ReportView) -> str:
    stride = rounds_a_band(len(view.round_start_s))
    bands, each = ("every other round has a shade", "of the rounds")
    if stride > 1:
        bands, each = f"shades are {stride} rounds wide", f"of {stride} rounds each"
    return (
        f"A dot is a run at its start; {bands}; the thin line joins the medians {each}, the dashed one is the median "
        "of all runs. Darker and lighter dots are different openings of the file (processes). Rings are "
        "outliers, triangles those above the axis: marked, not removed."
    )


def _ms(nanoseconds: float | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / 1e6
