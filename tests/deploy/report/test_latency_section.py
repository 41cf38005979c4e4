"""The pictures of latency, and their data as tables."""

from __future__ import annotations

from dataclasses import replace

from condmix.deploy.report.latency_section import MOST_ROWS, latency_section
from condmix.deploy.report.parts import Section
from condmix.deploy.report.view import ReportView
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.samples import Samples
from tests.deploy.report.synthetic import KINDS, full_report, shortened


def _section(report: BenchReport) -> Section:
    section = latency_section(ReportView(report))
    assert section is not None
    return section


def test_every_subject_has_its_pictures_and_data() -> None:
    together, over_time, each = _section(full_report()).groups
    assert [len(group.figures) for group in (together, over_time, each)] == [2, len(KINDS), len(KINDS)]
    for figure, kind in zip(over_time.figures, KINDS, strict=True):
        assert kind.name in figure.caption
        assert figure.data is not None
        assert 1 < len(figure.data.rows) <= MOST_ROWS
        assert sum(int(row[2]) for row in figure.data.rows) == 220


def test_rounds_of_a_short_run_have_a_row_each() -> None:
    data = _section(shortened(full_report(), 3)).groups[1].figures[0].data
    assert data is not None
    assert [row[0] for row in data.rows] == ["1", "2", "3"]


def test_outer_deciles_need_as_many_runs_as_p90() -> None:
    data = _section(full_report()).groups[0].figures[1].data
    assert data is not None
    assert data.columns[1] == "10 %, ms"
    quantiles = [float(cell) for cell in data.rows[0][1:]]
    assert quantiles == sorted(quantiles)
    short = _section(shortened(full_report(), 10)).groups[0].figures[1].data
    assert short is not None
    assert short.columns[1:] == ("25 %, ms", "50 %, ms", "75 %, ms")


def test_a_subject_with_few_runs_beside_others_says_so() -> None:
    report = full_report()
    few = replace(report.subjects[1], samples=shortened(report, 4).subjects[1].samples)
    data = _section(replace(report, subjects=(report.subjects[0], few, *report.subjects[2:]))).groups[0].figures[1].data
    assert data is not None
    assert (data.rows[1][1], data.rows[1][-1]) == ("n too small", "n too small")
    assert "n too small" not in data.rows[1][2:-1]


def test_without_a_run_there_is_no_section() -> None:
    report = full_report()
    lost = tuple(replace(one, samples=Samples(), failure="gone") for one in report.subjects)
    assert latency_section(ReportView(replace(report, subjects=lost, rounds=0))) is None
