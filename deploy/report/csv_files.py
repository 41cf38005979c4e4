"""The report as CSV: one row a subject, and one row a run; whole nanoseconds and bytes, nothing rounded."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from statistics import median

from condmix.deploy.report.view import ReportView
from condmix.runtime.bench.samples import Opening, SubjectRecord
from condmix.runtime.bench.statistics import is_outlier

SUMMARY_COLUMNS = (
    "subject",
    "file",
    "format",
    "precision",
    "engine",
    "engine_version",
    "threads",
    "delegate",
    "batch",
    "size_bytes",
    "sha256",
    "openings",
    "load_median_ns",
    "first_inference_median_ns",
    "warmup_mean_ns",
    "peak_memory_bytes",
    "runs",
    "median_ns",
    "median_low_ns",
    "median_high_ns",
    "p90_ns",
    "p95_ns",
    "p99_ns",
    "minimum_ns",
    "maximum_ns",
    "mean_ns",
    "standard_deviation_ns",
    "outliers",
    "ratio_to_baseline",
    "ratio_low",
    "ratio_high",
    "is_different",
    "agreement_passed",
    "top1_agreement",
    "max_abs_difference",
    "failure",
    "verdict",
)
SAMPLE_COLUMNS = ("subject", "round", "opening", "input", "start_ns", "wall_ns", "cpu_ns", "outlier")
_STEADY_COLUMNS = SUMMARY_COLUMNS[SUMMARY_COLUMNS.index("runs") : SUMMARY_COLUMNS.index("outliers") + 1]
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def summary_csv(view: ReportView) -> str:
    """A row for each subject, lost ones too; a cell is empty where there is no figure."""
    return _written(SUMMARY_COLUMNS, (_summary_row(view, record) for record in view.report.subjects))


def samples_csv(view: ReportView) -> str:
    """A row for each timed run, outliers among them."""
    rows = []
    for record in view.report.subjects:
        one = record.samples
        if len(one):
            marked = [int(mark) for mark in is_outlier(one.wall_array())]
            columns = (one.round, one.opening, one.input, one.start_ns, one.wall_ns, one.cpu_ns, marked)
            rows += [(record.name, *run) for run in zip(*columns, strict=True)]
    return _written(SAMPLE_COLUMNS, rows)


def _summary_row(view: ReportView, record: SubjectRecord) -> tuple[object, ...]:
    report, subject, agreement = view.report, record.subject, record.agreement
    steady = report.steady(record.name)
    figures = {} if steady is None else steady.to_dict()
    ratio = report.ratio(record.name, report.baseline)
    return (
        record.name,
        subject.file.name,
        record.format,
        record.precision,
        subject.engine,
        record.engine_version,
        subject.threads,
        int(subject.delegate),
        subject.batch,
        record.size_bytes,
        record.sha256,
        len(record.openings),
        *_opening_figures(record.openings),
        *(figures.get(column) for column in _STEADY_COLUMNS),
        ratio.ratio,
        ratio.low,
        ratio.high,
        int(report.is_different(ratio)),
        None if agreement is None else int(agreement.passed),
        None if agreement is None else agreement.top1_agreement,
        None if agreement is None else agreement.max_abs_difference,
        record.failure,
        str(report.verdict.judgement),
    )


def _opening_figures(openings: Sequence[Opening]) -> tuple[object, ...]:
    """load, first inference, warm-up mean, peak memory."""
    if not openings:
        return (None, None, None, None)
    warmup = [run for opening in openings for run in opening.warmup_wall_ns]
    peaks = [opening.peak_memory_bytes for opening in openings if opening.peak_memory_bytes is not None]
    return (
        median(opening.load_ns for opening in openings),
        median(opening.first_inference_ns for opening in openings),
        sum(warmup) / len(warmup) if warmup else None,
        max(peaks, default=None),
    )


def _written(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return stream.getvalue()


def _cell(value: object) -> object:
    """The value; a text that a spreadsheet would run as a formula has an apostrophe before it."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value
