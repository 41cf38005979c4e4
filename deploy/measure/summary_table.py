"""The table of a report on the terminal: a row a subject, four numbers never merged, median and p90 as headline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from condmix.deploy.measure.figures import EMULATED, figure
from condmix.deploy.measure.words import MISSING, memory, milliseconds, span_ms

if TYPE_CHECKING:
    from condmix.runtime.bench.report import BenchReport
    from condmix.runtime.bench.samples import Agreement, SubjectRecord

COLUMNS = (
    "subject",
    "size",
    "load",
    "first",
    "warm-up",
    "median ms",
    "p90",
    "peak memory",
    "agreement",
    "ratio to the first",
)
NUMBERS = ("size", "load", "first", "warm-up", "median ms", "p90", "peak memory")
DETAIL_COLUMNS = ("subject", "runs", "minimum", "maximum", "mean", "deviation", "p95", "p99", "outliers")
DETAIL_NUMBERS = DETAIL_COLUMNS[1:]
NOT_COMPARED = "not verified"


def summary_rows(report: BenchReport) -> list[tuple[str, ...]]:
    """One row a subject, all times in ms; the control has none of its own, it is the noise floor."""
    return [_row(report, record) for record in report.subjects if record.name != report.control]


def detail_rows(report: BenchReport) -> list[tuple[str, ...]]:
    """The rest of what is known of each subject's steady state, the control too."""
    rows = []
    for name in report.subject_names:
        steady = report.steady(name)
        if steady is None:
            rows.append((name, "0", *[MISSING] * (len(DETAIL_COLUMNS) - 2)))
            continue
        times = (steady.minimum_ns, steady.maximum_ns, steady.mean_ns, steady.standard_deviation_ns)
        percentiles = (steady.p95_ns, steady.p99_ns)
        cells = (*map(milliseconds, times), *map(milliseconds, percentiles))
        rows.append((name, str(steady.runs), *cells, str(steady.outliers)))
    return rows


def ratio_text(report: BenchReport, name: str) -> str:
    """The ratio to the first subject with its interval, or that there is no difference to be seen."""
    if name == report.baseline:
        return "1"
    ratio = report.ratio(name, report.baseline)
    if ratio.ratio is None:
        return MISSING
    if ratio.low is None or ratio.high is None:
        return f"{ratio.ratio:.3f}, too few rounds"
    span = f"({ratio.low:.3f} to {ratio.high:.3f})"
    return f"{ratio.ratio:.3f} {span}" if report.is_different(ratio) else f"no difference {span}"


def noise_line(report: BenchReport) -> str:
    """What the first subject against itself tells of the noise."""
    floor = report.noise_floor()
    if report.verdict.is_emulated:
        return f"noise floor: none, {EMULATED}"
    if floor is None:
        return f"noise floor: not known, there were too few rounds ({report.rounds})"
    return f"noise floor: {100 * floor:.1f} %, by which {report.baseline} may differ from itself here"


def agreement_text(agreement: Agreement | None) -> str:
    """Whether the outputs of this run are right, and by how much they differ."""
    if agreement is None:
        return NOT_COMPARED
    parts = []
    if agreement.top1_agreement is not None:
        parts.append(f"top-1 {100 * agreement.top1_agreement:.1f} %")
    limit = "" if agreement.limit is None else f", limit {agreement.limit:.1e}"
    parts.append(f"max|d| {agreement.max_abs_difference:.1e}{limit}")
    return f"{'ok' if agreement.passed else 'FAILED'} {', '.join(parts)}"


def _row(report: BenchReport, record: SubjectRecord) -> tuple[str, ...]:
    steady = report.steady(record.name)
    times = [milliseconds(figure(report, metric, record.name).value) for metric in ("load", "first", "warmup")]
    if steady is None:
        median, p90 = MISSING, MISSING
    else:
        median = f"{milliseconds(steady.median_ns)} {span_ms(steady.median_low_ns, steady.median_high_ns)}".rstrip()
        p90 = milliseconds(steady.p90_ns) if steady.p90_ns is not None else f"n={steady.runs} too small"
    return (
        record.name,
        memory(record.size_bytes or None),
        *times,
        median,
        p90,
        memory(figure(report, "peak_memory", record.name).value),
        agreement_text(record.agreement),
        "failed" if record.failure is not None else ratio_text(report, record.name),
    )
