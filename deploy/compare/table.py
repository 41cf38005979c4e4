"""The table of a comparison: a row a file, figures in the order of a slide; a file that is not there has its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from condmix.deploy.compare.variants import Missing
from condmix.deploy.measure.figures import figure
from condmix.deploy.measure.summary_table import agreement_text, ratio_text
from condmix.deploy.measure.words import MISSING, memory, milliseconds, span_ms
from condmix.runtime.bench.report import BenchReport

COLUMNS = ("file", "size", "of first", "median ms", "ratio", "p90", "first run", "memory", "top-1", "agreement")
NUMBERS = COLUMNS[1:4] + COLUMNS[5:9]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One file. Times in ns; None where there is none, `reason` then says why where the whole file is missing.

    size_ratio, ratio: to the first row. top1: of labelled images. ratio_words, agreement: as a reader sees them.
    """

    name: str
    file: str = ""
    size_bytes: int | None = None
    size_ratio: float | None = None
    median_ns: float | None = None
    median_low_ns: float | None = None
    median_high_ns: float | None = None
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    is_different: bool | None = None
    ratio_words: str = MISSING
    p90_ns: float | None = None
    first_inference_ns: float | None = None
    peak_memory_bytes: float | None = None
    top1: float | None = None
    agreement: str = ""
    agrees: bool | None = None
    reason: str = ""

    def cells(self) -> tuple[str, ...]:
        """Under COLUMNS."""
        if self.reason:
            return (self.name, *[MISSING] * (len(COLUMNS) - 2), self.reason)
        median = f"{milliseconds(self.median_ns)} {span_ms(self.median_low_ns, self.median_high_ns)}".rstrip()
        return (
            self.name,
            memory(self.size_bytes),
            MISSING if self.size_ratio is None else f"{self.size_ratio:.2f}",
            median,
            self.ratio_words,
            milliseconds(self.p90_ns),
            milliseconds(self.first_inference_ns),
            memory(self.peak_memory_bytes),
            MISSING if self.top1 is None else f"{self.top1:.2%}",
            self.agreement,
        )

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return asdict(self)


def rows_of(report: BenchReport, missing: Sequence[Missing], order: Sequence[str]) -> tuple[Row, ...]:
    """One row for each measured file and each that is not there, as `order` names them; others come last.

    The baseline's second measurement is the noise and has no row.
    """
    rows = [_measured(report, name) for name in report.subject_names if name != report.control]
    rows += [Row(name=one.name, reason=one.reason) for one in missing]
    places = {name: place for place, name in enumerate(order)}
    return tuple(sorted(rows, key=lambda row: places.get(row.name, len(places))))


def _measured(report: BenchReport, name: str) -> Row:
    record, first = report.subject(name), report.subject(report.baseline)
    if record.failure is not None:
        return Row(name=name, file=record.subject.file.name, reason=f"it could not be measured: {record.failure}")
    steady = report.steady(name)
    ratio = report.ratio(name, report.baseline)
    accuracy = _accuracy(report, name)
    return Row(
        name=name,
        file=record.subject.file.name,
        size_bytes=record.size_bytes,
        size_ratio=record.size_bytes / first.size_bytes if first.size_bytes else None,
        median_ns=None if steady is None else steady.median_ns,
        median_low_ns=None if steady is None else steady.median_low_ns,
        median_high_ns=None if steady is None else steady.median_high_ns,
        ratio=ratio.ratio,
        ratio_low=ratio.low,
        ratio_high=ratio.high,
        is_different=report.is_different(ratio),
        ratio_words=ratio_text(report, name),
        p90_ns=None if steady is None else steady.p90_ns,
        first_inference_ns=figure(report, "first", name).value,
        peak_memory_bytes=figure(report, "peak_memory", name).value,
        top1=accuracy,
        agreement=agreement_text(record.agreement),
        agrees=None if record.agreement is None else record.agreement.passed,
    )


def _accuracy(report: BenchReport, name: str) -> float | None:
    section = report.sections.get("accuracy")
    own = section.get(name) if isinstance(section, Mapping) else None
    top1 = own.get("top1") if isinstance(own, Mapping) else None
    return top1 if isinstance(top1, float) else None
