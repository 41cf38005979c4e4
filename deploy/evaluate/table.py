"""The figures of an evaluation in words: rows for the terminal and the page, and sentences below them."""

from __future__ import annotations

from collections.abc import Iterator

from condmix.deploy.evaluate.file_result import FileResult
from condmix.deploy.evaluate.report import EvalReport
from condmix.deploy.evaluate.share import Share
from condmix.deploy.measure.words import MISSING, memory
from condmix.runtime.agreement import MOST_DB

MOST_PAIRS = 3
"""Confusions that a line names."""
LEFT = ("file",)


def columns_of(report: EvalReport) -> tuple[str, ...]:
    """The heads of the table."""
    tops = [part for k, _ in report.results[0].top for part in (f"top-{k} %", "95 %")]
    return ("file", "size", *tops, "points", "same answer %", "lost", "gained", "SQNR dB", "worst", "largest diff")


def rows_of_table(report: EvalReport) -> list[tuple[str, ...]]:
    """A row a file, the yardstick first."""
    return [
        (file.name, memory(file.size_bytes), *_figures(result, report.results[0]))
        for file, result in zip(report.files, report.results, strict=True)
    ]


def sentences(report: EvalReport) -> Iterator[str]:
    """What the table is about, and where each file fails."""
    count, classes = len(report.images), report.yardstick.class_count
    yield f"{count} images of {report.source}, {classes} classes"
    if len(report.files) > 1:
        yield f"compared with {report.yardstick.name}: points, same answer, lost, gained, SQNR and difference of scores"
    for file, result in zip(report.files, report.results, strict=True):
        worst = result.worst_class
        name = report.class_name(worst.label)
        least = f"least in class {name}, {worst.right.count} of {worst.right.total}"
        yield f"{file.name}: {least}; {_pairs(report, result)}"
    for file, result in zip(report.files, report.results, strict=True):
        if result.nonfinite_images:
            yield f"{file.name}: scores of {result.nonfinite_images} images are not finite; they count as wrong"


def run_sentence(report: EvalReport) -> str:
    """How the figures were come by."""
    run = report.run
    reused = f", {run.reused} of them from an earlier run" if run.reused else ""
    damaged = f"; {run.damaged} damaged ones were measured again" if run.damaged else ""
    shards = f"{run.shards} shards of at most {run.shard_images} images{reused}{damaged}"
    return f"{shards}; {run.scheduler}; {run.seconds:.1f} s"


def percent(share: float) -> str:
    """Two decimals: an image of ten thousand shows."""
    return f"{100 * share:.2f}"


def interval(share: Share) -> str:
    """The ends."""
    low, high = share.interval
    return f"{percent(low)} to {percent(high)}"


def _figures(result: FileResult, yardstick: FileResult) -> tuple[str, ...]:
    tops = [part for _, share in result.top for part in (percent(share.share), interval(share))]
    found = result.comparison
    if found is None:
        return (*tops, *[MISSING] * 7)
    points = 100 * (result.top[0][1].share - yardstick.top[0][1].share)
    return (
        *tops,
        f"{points:+.2f}",
        percent(found.agreement.share),
        str(found.lost),
        str(found.gained),
        _decibels(found.sqnr_db_median),
        _decibels(found.sqnr_db_worst),
        MISSING if found.largest_difference is None else f"{found.largest_difference:.2e}",
    )


def _decibels(value: float | None) -> str:
    if value is None:
        return MISSING
    return "equal" if value == MOST_DB else f"{value:.1f}"


def _pairs(report: EvalReport, result: FileResult) -> str:
    shown = [
        f"{report.class_name(one.label)} as {report.class_name(one.answer)} {one.count}"
        for one in result.confusions[:MOST_PAIRS]
    ]
    return f"most confused: {', '.join(shown)}" if shown else "nothing confused"
