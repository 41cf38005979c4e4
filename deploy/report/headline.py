"""The first table: what each file costs and whether it computes the right thing, beside the first of them."""

from __future__ import annotations

from statistics import median

from condmix.deploy.report.numbers import (
    NOT_READ,
    difference,
    interval,
    memory,
    milliseconds,
    percentile,
    plural,
    share,
)
from condmix.deploy.report.parts import Group, Section, Table
from condmix.deploy.report.profile_section import coverage_words
from condmix.deploy.report.view import MeasuredSubject, ReportView
from condmix.deploy.sizes import file_size
from condmix.runtime.bench.samples import Agreement, SubjectRecord
from condmix.runtime.bench.subject import TFLITE_RUNTIME

NOT_MEASURED = "not measured"
NO_DIFFERENCE = "no measurable difference"


def headline_section(view: ReportView) -> Section:
    """The table, what its ratios mean, and, folded, the openings and the spread of the runs."""
    tables = [headline_table(view), _agreement_table(view), _steady_table(view), _openings_table(view)]
    return Section(
        identity="result",
        title="Result",
        groups=(Group(sentences=_sentences(view), tables=[table for table in tables if table.rows]),),
    )


def headline_table(view: ReportView) -> Table:
    """One row a subject, lost ones too; p95 and p99 only where some subject has enough runs for them."""
    baseline = view.label(view.report.baseline)
    rare = [(f"p{percent}, ms", f"p{percent}_ns") for percent in (95, 99)]
    rare = [pair for pair in rare if any(getattr(one.steady, pair[1]) is not None for one in view.measured)]
    ratio_title = f"ratio to {baseline.split('  ')[0]}"
    columns = (
        "subject",
        "median, ms",
        "95 % interval, ms",
        "p90, ms",
        *(title for title, _ in rare),
        ratio_title,
        "size",
        "load, ms",
        "first inference, ms",
        "peak memory",
        "top-1 agreement" if names_classes(view) else "SQNR, dB",
        "max |d|",
        "runs in",
    )
    measured = {one.name: one for one in view.measured}
    rows = []
    for record in view.report.subjects:
        found = measured.get(record.name)
        steady = (
            (NOT_MEASURED, "", "", *("" for _ in rare))
            if found is None
            else (
                milliseconds(found.steady.median_ns),
                interval(found.steady.median_low_ns, found.steady.median_high_ns),
                percentile(found.steady.p90_ns),
                *(percentile(getattr(found.steady, field)) for _, field in rare),
            )
        )
        rows.append(
            (
                view.label(record.name),
                *steady,
                ratio_words(view, record.name),
                file_size(record.size_bytes) if record.size_bytes else "",
                *_opening_cells(record),
                _peak(record),
                *_agreement_cells(record.agreement, top1=names_classes(view)),
                engine_words(record),
            )
        )
    words = frozenset({ratio_title, "runs in"})
    return Table(columns=columns, rows=tuple(rows), numbers=frozenset(columns[1:]) - words, wide=words)


def engine_words(record: SubjectRecord) -> str:
    """The engine, its version, threads, and what is unusual about the way of running."""
    subject = record.subject
    words = [f"{subject.engine} {record.engine_version}".strip(), plural(subject.threads, "thread")]
    if not subject.delegate:
        words.append("no delegate")
    if subject.batch not in (None, 1):
        words.append(f"batch {subject.batch}")
    return ", ".join(words)


def ratio_words(view: ReportView, name: str) -> str:
    """The ratio of medians to the baseline with its interval, or that there is no difference to be seen."""
    report = view.report
    if name == report.baseline:
        return "1"
    ratio = report.ratio(name, report.baseline)
    if ratio.ratio is None:
        return ""
    if ratio.low is None or ratio.high is None:
        return f"{ratio.ratio:.3f} (too few rounds for an interval)"
    ends = f"{ratio.low:.3f} to {ratio.high:.3f}"
    return f"{ratio.ratio:.3f} ({ends})" if report.is_different(ratio) else f"{NO_DIFFERENCE} ({ends})"


def failures_section(view: ReportView) -> Section | None:
    """The subjects that were lost, by name and with the reason; None when all were measured."""
    lost = [record for record in view.report.subjects if record.failure is not None]
    wrong = [record for record in view.report.subjects if record.agreement is not None and not record.agreement.passed]
    sentences = [
        f"{view.label(record.name)} was lost after {plural(len(record.samples), 'timed run')}: {record.failure}"
        for record in lost
    ]
    sentences += [
        f"{view.label(record.name)} does not compute what it should: {record.agreement.detail}"
        for record in wrong
        if record.agreement is not None
    ]
    if view.report.interrupted is not None:
        sentences.append(
            f"The measurement ended early: {view.report.interrupted}. What was measured until then is here."
        )
    if not sentences:
        return None
    return Section(identity="failures", title="What went wrong", groups=(Group(sentences=sentences),))


def _sentences(view: ReportView) -> list[str]:
    report = view.report
    floor = report.noise_floor()
    first = view.label(report.baseline)
    sentences = []
    if report.verdict.is_emulated:
        sentences.append("No time is here: the machine was emulated. What the files compute there is compared below.")
    elif floor is None:
        sentences.append(
            f"{first} was measured twice, but in too few rounds for an interval: how far a file differs from itself "
            "here is not known, so no difference is claimed."
        )
    else:
        sentences.append(
            f"{first} was measured twice: the file against itself differs by up to {share(floor)}. A difference below "
            "that, or whose interval holds 1, is called no measurable difference."
        )
    older = [view.label(record.name) for record in report.subjects if record.subject.engine == TFLITE_RUNTIME]
    if older:
        sentences.append(
            f"{', '.join(older)}: run in tflite-runtime, another and older engine than LiteRT, which by default "
            "computes int8 files in its own kernels, not in XNNPACK."
        )
    sentences += [
        f"{view.label(record.name)}: {coverage_words(record.delegate_coverage)}."
        for record in report.subjects
        if record.delegate_coverage is not None
    ]
    return sentences


def _opening_cells(record: SubjectRecord) -> tuple[str, str]:
    if not record.openings:
        return "", ""
    return (
        milliseconds(median(opening.load_ns for opening in record.openings)),
        milliseconds(median(opening.first_inference_ns for opening in record.openings)),
    )


def _peak(record: SubjectRecord) -> str:
    peaks = [opening.peak_memory_bytes for opening in record.openings if opening.peak_memory_bytes is not None]
    if not record.openings:
        return ""
    return memory(max(peaks)) if peaks else NOT_READ


def names_classes(view: ReportView) -> bool:
    """Whether any subject's outputs name classes, as far as anything is known of them."""
    found = [record.agreement for record in view.report.subjects if record.agreement is not None]
    return not found or any(one.top1_agreement is not None or one.sqnr_db is None for one in found)


def _agreement_cells(agreement: Agreement | None, *, top1: bool) -> tuple[str, str]:
    if agreement is None:
        return "not checked", "not checked"
    if top1:
        kept = "" if agreement.top1_agreement is None else share(agreement.top1_agreement)
    else:
        kept = "" if agreement.sqnr_db is None else f"{agreement.sqnr_db:.1f}"
    return kept or "not compared", difference(agreement.max_abs_difference)


def _agreement_table(view: ReportView) -> Table:
    top1 = ("top-1 agreement",) if names_classes(view) else ()
    columns = ("subject", "outputs", "reference", "images", "max |d|", "limit", *top1, "SQNR, dB", "detail")
    rows = tuple(
        (
            view.label(record.name),
            "agree" if agreement.passed else "DO NOT AGREE",
            agreement.source,
            f"{agreement.images:,}",
            difference(agreement.max_abs_difference),
            "" if agreement.limit is None else difference(agreement.limit),
            *("" if agreement.top1_agreement is None else share(agreement.top1_agreement) for _ in top1),
            "" if agreement.sqnr_db is None else f"{agreement.sqnr_db:.1f}",
            agreement.detail,
        )
        for record in view.report.subjects
        if (agreement := record.agreement) is not None
    )
    title = "Outputs of this run against the reference"
    return Table(
        columns=columns,
        rows=rows,
        numbers=frozenset(columns[3:-1]),
        wide=frozenset({"detail"}),
        title=title,
        folded=True,
    )


def _steady_table(view: ReportView) -> Table:
    columns = (
        "subject",
        "runs",
        "minimum, ms",
        "maximum, ms",
        "mean, ms",
        "standard deviation, ms",
        "outliers",
        "CPU / wall",
    )
    rows = tuple(
        (
            view.label(one.name),
            f"{one.steady.runs:,}",
            milliseconds(one.steady.minimum_ns),
            milliseconds(one.steady.maximum_ns),
            milliseconds(one.steady.mean_ns),
            milliseconds(one.steady.standard_deviation_ns),
            str(one.steady.outliers),
            _cpu_share(one),
        )
        for one in view.measured
    )
    title = "Spread of the timed runs (outliers are marked, and in every figure)"
    return Table(columns=columns, rows=rows, numbers=frozenset(columns[1:]), title=title, folded=True)


def _cpu_share(one: MeasuredSubject) -> str:
    samples = one.record.samples
    if not sum(samples.wall_ns) or not sum(samples.cpu_ns):  # a browser tells no CPU time
        return ""
    return f"{sum(samples.cpu_ns) / sum(samples.wall_ns):.2f}"


def _openings_table(view: ReportView) -> Table:
    columns = (
        "subject",
        "opening",
        "load, ms",
        "first inference, ms",
        "warm-up runs",
        "warm-up mean, ms",
        "memory before",
        "after load",
        "peak",
    )
    rows = tuple(
        (
            view.label(record.name),
            str(number + 1),
            milliseconds(opening.load_ns),
            milliseconds(opening.first_inference_ns),
            str(len(opening.warmup_wall_ns)),
            milliseconds(sum(opening.warmup_wall_ns) / len(opening.warmup_wall_ns)) if opening.warmup_wall_ns else "",
            memory(opening.memory_before_bytes),
            memory(opening.memory_loaded_bytes),
            memory(opening.peak_memory_bytes),
        )
        for record in view.report.subjects
        for number, opening in enumerate(record.openings)
    )
    title = "Openings: each a process of its own, loaded, run once, warmed up"
    return Table(columns=columns, rows=rows, numbers=frozenset(columns[1:]), title=title, folded=True)
