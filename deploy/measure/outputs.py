"""What a run writes besides its report: JUnit, annotations and the summary of GitHub Actions."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from condmix.deploy.atomic import pending_files, require_room
from condmix.deploy.errors import OutputError
from condmix.deploy.measure.errors import PlaceError
from condmix.deploy.measure.gate_result import GateResult
from condmix.deploy.measure.github import annotation_lines, append_summary
from condmix.deploy.measure.junit import MeasuredCase, junit_xml
from condmix.deploy.measure.summary_table import COLUMNS, NUMBERS, agreement_text, noise_line, ratio_text, summary_rows
from condmix.deploy.measure.words import milliseconds

if TYPE_CHECKING:
    from condmix.runtime.bench.report import BenchReport
    from condmix.runtime.bench.samples import SubjectRecord

_NS_PER_SECOND = 1e9


def check_report_folder(folder: Path, *, overwrite: bool) -> None:
    """A report can be written there, as far as can be told without making the folder.

    Raises PlanError for a report that is there already, OutputError where nothing can be written.
    """
    from condmix.deploy.report.write import NAMES

    if folder.exists() and not folder.is_dir():
        raise OutputError(folder, NotADirectoryError(errno.ENOTDIR, "a file is in its place", str(folder)))
    if folder.is_dir():
        require_room(tuple(folder / name for name in NAMES), overwrite=overwrite)
        return
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise OutputError(folder, error) from error
    finally:
        # Only tried: a run that ends before its report leaves no folder behind.
        for one in missing:
            with contextlib.suppress(OSError):
                one.rmdir()


def check_junit(path: Path) -> None:
    """The file can be written; an older one is replaced. Raises PlanError or PlaceError."""
    try:
        require_room((path,), overwrite=True)
    except OutputError as error:
        cause = error.__cause__ if isinstance(error.__cause__, OSError) else OSError(str(error))
        raise PlaceError(path, cause, named_by="--junit") from error


def write_junit(path: Path, report: BenchReport, gates: Sequence[GateResult]) -> None:
    """The file at `path` holds one case a subject and one a gate. Raises OutputError."""
    cases = [_case(report, record) for record in report.subjects if record.name != report.control]
    cpu = report.environment_before.cpu
    properties = {
        "verdict": report.verdict.first_line(),
        "machine": ", ".join(cpu.model_names) or cpu.architecture,
        "condmix": report.condmix_version,
        **dict(cpu.versions),
    }
    content = junit_xml(cases, gates, properties, created=report.created)
    with pending_files(overwrite=True) as files:
        files.write(path, content)
        files.commit()


def tell_github(report: BenchReport, gates: Sequence[GateResult]) -> None:
    """Annotations are on stderr and the table is at the end of the job's summary. Raises OutputError."""
    verdict = [(str(finding.verdict), finding.reason) for finding in report.verdict.findings]
    for line in annotation_lines(verdict, failures_of(report), gates):
        click.echo(line, err=True)
    append_summary(summary_markdown(report, gates))


def summary_markdown(report: BenchReport, gates: Sequence[GateResult]) -> str:
    """Verdict, table and gates on one short page."""
    from condmix.deploy.report.markdown import escaped

    right = ["---:" if column in NUMBERS else "---" for column in COLUMNS]
    rows = [[escaped(cell) for cell in row] for row in (COLUMNS, *summary_rows(report))]
    table = [rows[0], right, *rows[1:]]
    lines = ["### condmix bench", "", f"**{escaped(report.verdict.first_line())}**", ""]
    lines += [f"| {' | '.join(row)} |" for row in table]
    lines += ["", f"Times in ms; {escaped(noise_line(report))}."]
    if gates:
        lines += ["", *(f"- {escaped(result.line())}" for result in gates)]
    return "\n".join(lines)


def failures_of(report: BenchReport) -> Mapping[str, str]:
    """Subject -> why it was lost, or why its outputs are wrong."""
    failures = {}
    for record in report.subjects:
        if record.failure is not None:
            failures[record.name] = record.failure
        elif record.agreement is not None and not record.agreement.passed:
            failures[record.name] = f"its outputs are wrong: {record.agreement.detail}"
    return failures


def _case(report: BenchReport, record: SubjectRecord) -> MeasuredCase:
    steady = report.steady(record.name)
    figures = "no timed run"
    if report.verdict.is_emulated:
        figures = f"emulated, no times; outputs: {agreement_text(record.agreement)}"
    if steady is not None:
        p90 = f"p90 {milliseconds(steady.p90_ns)} ms" if steady.p90_ns is not None else "too few runs for a p90"
        ratio = f"ratio to {report.baseline}: {ratio_text(report, record.name)}"
        runs = f"{steady.runs} runs, median {milliseconds(steady.median_ns)} ms, {p90}, {ratio}"
        figures = f"{runs}; outputs: {agreement_text(record.agreement)}"
    return MeasuredCase(
        name=record.name,
        seconds=sum(record.samples.wall_ns) / _NS_PER_SECOND,
        figures=figures,
        failure=failures_of(report).get(record.name),
    )
