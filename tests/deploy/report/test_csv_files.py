"""CSV: whole figures, one row each, nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

from condmix.deploy.report.csv_files import SAMPLE_COLUMNS, SUMMARY_COLUMNS, samples_csv, summary_csv
from condmix.deploy.report.view import ReportView
from condmix.runtime.bench.samples import Samples
from tests.deploy.report.synthetic import KINDS, full_report


def _rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_summary_has_a_row_for_each_subject() -> None:
    report = full_report()
    text = summary_csv(ReportView(report))
    assert text.splitlines()[0] == ",".join(SUMMARY_COLUMNS)
    rows = _rows(text)
    assert [row["subject"] for row in rows] == [kind.name for kind in KINDS]
    steady = report.steady("condmix.tflite")
    assert steady is not None
    assert float(rows[3]["median_ns"]) == steady.median_ns
    assert (rows[3]["p95_ns"] != "", rows[3]["p99_ns"], rows[3]["verdict"]) == (True, "", "NOISY")
    assert (rows[0]["is_different"], rows[1]["is_different"], rows[5]["is_different"]) == ("0", "1", "0")
    assert (rows[2]["threads"], rows[2]["peak_memory_bytes"], rows[2]["agreement_passed"]) == ("1", "87200000", "1")


def test_a_lost_subject_has_a_row_with_its_reason() -> None:
    report = full_report()
    lost = replace(report.subjects[1], samples=Samples(), openings=(), agreement=None, failure="gone, at once")
    row = _rows(summary_csv(ReportView(replace(report, subjects=(report.subjects[0], lost, *report.subjects[2:])))))[1]
    assert (row["failure"], row["median_ns"], row["load_median_ns"], row["ratio_to_baseline"]) == (
        "gone, at once",
        "",
        "",
        "",
    )


def test_every_run_has_a_row_and_outliers_are_marked() -> None:
    report = full_report()
    rows = _rows(samples_csv(ReportView(report)))
    assert tuple(rows[0]) == SAMPLE_COLUMNS
    assert len(rows) == sum(len(one.samples) for one in report.subjects)
    first = [row for row in rows if row["subject"] == "stock.onnx"]
    assert [int(row["wall_ns"]) for row in first] == list(report.subjects[0].samples.wall_ns)
    steady = report.steady("stock.onnx")
    assert steady is not None
    assert sum(int(row["outlier"]) for row in first) == steady.outliers > 0


def test_a_name_that_begins_like_a_formula_is_text() -> None:
    report = full_report()
    named = replace(report.subjects[0], subject=replace(report.subjects[0].subject, name='=HYPERLINK("http://x")'))
    rows = _rows(summary_csv(ReportView(replace(report, subjects=(named, *report.subjects[1:])))))
    assert rows[0]["subject"] == '\'=HYPERLINK("http://x")'
