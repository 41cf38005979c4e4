"""The table of a comparison: figures from the report, reasons for what is not there, and their order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from condmix.deploy.compare.table import COLUMNS, rows_of
from condmix.deploy.compare.variants import Missing
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.samples import Samples
from tests.runtime.bench.reports import make_report, noisy_wall_ns

MISSING = (Missing(name="stock", reason="torch.onnx.export failed: no such operator"),)


@pytest.fixture
def report() -> BenchReport:
    found = make_report(
        {"a": noisy_wall_ns(1e6, seed=0), "half": noisy_wall_ns(5e5, seed=1), "a (again)": noisy_wall_ns(1e6, seed=2)},
        sections={"accuracy": {"half": {"top1": 0.975, "images": 40, "source": "x"}}},
    )
    half = replace(found.subjects[1], size_bytes=617)
    return replace(found, subjects=(found.subjects[0], half, found.subjects[2]))


def test_a_row_a_file_with_the_figures_of_the_report(report: BenchReport) -> None:
    first, half = rows_of(report, (), ("a", "half"))
    assert (first.size_ratio, first.ratio_words, first.top1) == (1.0, "1", None)
    assert half.size_ratio == 0.5
    assert half.median_ns == np.median(report.subject("half").samples.wall_ns)
    assert half.ratio == pytest.approx(0.5, rel=0.01)
    assert half.is_different is True
    assert half.first_inference_ns == 4_000_000
    assert half.peak_memory_bytes == 80_000_000
    assert half.agrees is True
    cells = dict(zip(COLUMNS, half.cells(), strict=True))
    assert cells["size"] == "0.6 kB"
    assert cells["of first"] == "0.50"
    assert cells["top-1"] == "97.50%"
    assert cells["ratio"].startswith("0.50")
    assert cells["first run"] == "4.000"
    assert cells["agreement"].startswith("ok top-1 100.0 %")


def test_what_is_not_there_is_a_row_with_its_reason_in_its_place(report: BenchReport) -> None:
    rows = rows_of(report, MISSING, ("stock", "a", "half"))
    assert [row.name for row in rows] == ["stock", "a", "half"]
    cells = rows[0].cells()
    assert len(cells) == len(COLUMNS)
    assert cells[-1] == "torch.onnx.export failed: no such operator"
    assert set(cells[1:-1]) == {"–"}  # noqa: RUF001 - the dash of an empty cell


def test_a_file_that_was_lost_while_measuring_says_why(report: BenchReport) -> None:
    lost = replace(report.subjects[1], samples=Samples(), failure="the process was killed by signal 9", agreement=None)
    rows = rows_of(replace(report, subjects=(report.subjects[0], lost, report.subjects[2])), (), ("a", "half"))
    assert rows[1].cells()[-1] == "it could not be measured: the process was killed by signal 9"
    assert rows[1].median_ns is None
