"""The figure of a report that a metric names, in its base unit, or why there is none."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from condmix.deploy.measure.gate_expression import TIMES
from condmix.runtime.bench.statistics import RUNS_FOR_PERCENTILE

if TYPE_CHECKING:
    from condmix.runtime.bench.report import BenchReport
    from condmix.runtime.bench.samples import SubjectRecord
    from condmix.runtime.bench.statistics import Summary


EMULATED = "the machine is emulated: it shows what a file computes, never how long it takes"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """value: in ns, bytes or 1; None for the reason `missing`. low, high: its interval where there is one."""

    value: float | None
    missing: str = ""
    low: float | None = None
    high: float | None = None


def figure(report: BenchReport, metric: str, name: str) -> Figure:
    """The figure of the subject of that name; metric: one of METRICS that exist once a subject."""
    record = report.subject(name)
    if metric in TIMES and report.verdict.is_emulated:
        return Figure(value=None, missing=EMULATED)
    if metric in _OF_RECORD:
        return _OF_RECORD[metric](record)
    if record.failure is not None:
        return Figure(value=None, missing=f"it failed: {record.failure}")
    if metric == "ratio":
        return _ratio(report, name)
    summary = report.steady(name)
    if summary is None:
        return Figure(value=None, missing="it has no timed run")
    return _of_summary(summary, metric)


def noise_floor(report: BenchReport) -> Figure:
    """How far the first subject differs from itself."""
    floor = report.noise_floor()
    if report.verdict.is_emulated:
        return Figure(value=None, missing=EMULATED)
    return Figure(value=floor, missing="" if floor is not None else "too few rounds for a noise floor")


def _of_summary(summary: Summary, metric: str) -> Figure:
    if metric == "median":
        return Figure(value=summary.median_ns, low=summary.median_low_ns, high=summary.median_high_ns)
    value = getattr(summary, f"{metric}_ns")
    if value is None:
        needed = RUNS_FOR_PERCENTILE[int(metric.removeprefix("p"))]
        missing = f"{metric} needs {needed} runs, there are {summary.runs}: give --runs {needed}"
        return Figure(value=None, missing=missing)
    return Figure(value=float(value))


def _ratio(report: BenchReport, name: str) -> Figure:
    ratio = report.ratio(name, report.subject_names[0])
    if ratio.ratio is None:
        return Figure(value=None, missing="it has no round in common with the first subject")
    return Figure(value=ratio.ratio, low=ratio.low, high=ratio.high)


def _load(record: SubjectRecord) -> Figure:
    return _median_of([opening.load_ns for opening in record.openings], "it was never opened")


def _first(record: SubjectRecord) -> Figure:
    return _median_of([opening.first_inference_ns for opening in record.openings], "it never ran")


def _warmup(record: SubjectRecord) -> Figure:
    runs = [wall_ns for opening in record.openings for wall_ns in opening.warmup_wall_ns]
    if not runs:
        return Figure(value=None, missing="it had no warm-up runs")
    return Figure(value=statistics.fmean(runs))


def _median_of(values: list[int], missing: str) -> Figure:
    return Figure(value=float(statistics.median(values))) if values else Figure(value=None, missing=missing)


def _size(record: SubjectRecord) -> Figure:
    return Figure(value=float(record.size_bytes))


def _peak_memory(record: SubjectRecord) -> Figure:
    known = [opening.peak_memory_bytes for opening in record.openings if opening.peak_memory_bytes is not None]
    if not known:
        return Figure(value=None, missing="this system does not tell the peak memory of a process")
    return Figure(value=float(max(known)))


def _agreement(record: SubjectRecord) -> Figure:
    if record.agreement is None:
        return Figure(value=None, missing=_NO_REFERENCE)
    if record.agreement.top1_agreement is None:
        return Figure(value=None, missing="its outputs name no class; judge max_difference or sqnr instead")
    return Figure(value=record.agreement.top1_agreement)


def _max_difference(record: SubjectRecord) -> Figure:
    if record.agreement is None:
        return Figure(value=None, missing=_NO_REFERENCE)
    return Figure(value=record.agreement.max_abs_difference)


def _sqnr(record: SubjectRecord) -> Figure:
    if record.agreement is None:
        return Figure(value=None, missing=_NO_REFERENCE)
    if record.agreement.sqnr_db is None:
        return Figure(value=None, missing="the signal to noise ratio was not taken")
    return Figure(value=record.agreement.sqnr_db)


_NO_REFERENCE = "there was no reference to compare its outputs with: give --reference FILE.npz"
_OF_RECORD: Mapping[str, Callable[[SubjectRecord], Figure]] = {
    "load": _load,
    "first": _first,
    "warmup": _warmup,
    "size": _size,
    "peak_memory": _peak_memory,
    "agreement": _agreement,
    "max_difference": _max_difference,
    "sqnr": _sqnr,
}
