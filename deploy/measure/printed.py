"""A finished report on the terminal: the verdict first, the next step last."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from condmix.deploy.measure.environment_text import environment_line, unreadable_lines
from condmix.deploy.measure.gate_result import GateResult
from condmix.deploy.measure.outputs import failures_of
from condmix.deploy.measure.summary_table import (
    COLUMNS,
    DETAIL_COLUMNS,
    DETAIL_NUMBERS,
    NUMBERS,
    detail_rows,
    noise_line,
    summary_rows,
)
from condmix.deploy.report.profile_section import coverage_words
from condmix.deploy.tables import plain_table
from condmix.deploy.terminal import console

if TYPE_CHECKING:
    from condmix.runtime.bench.report import BenchReport
    from condmix.runtime.profile.records import Profile


def print_report(report: BenchReport, notes: Sequence[str], gates: Sequence[GateResult], *, in_detail: bool) -> None:
    """Verdict, machine, settings, table, failures, notes and gates are on stdout."""
    click.echo(report.verdict.first_line())
    for finding in report.verdict.findings[1:]:
        click.echo(f"  {finding.verdict}: {finding.reason}")
    click.echo(environment_line(report.environment_before, report.environment_after))
    if in_detail:
        for line in unreadable_lines(report.environment_before):
            click.echo(f"  {line}")
    click.echo(settings_line(report))
    click.echo()
    console(sys.stdout).print(plain_table(COLUMNS, summary_rows(report), right=NUMBERS))
    if in_detail:
        click.echo()
        console(sys.stdout).print(plain_table(DETAIL_COLUMNS, detail_rows(report), right=DETAIL_NUMBERS))
    click.echo()
    click.echo(noise_line(report))
    for name, reason in failures_of(report).items():
        click.echo(f"[failed] {name}: {reason}")
    for note in (*notes, *delegate_notes(report)):
        click.echo(f"note: {note}")
    for result in gates:
        click.echo(result.line())


def print_profiles(profiles: Mapping[str, Profile]) -> None:
    """Where the time goes in each subject, by PyTorch module, is on stdout."""
    from condmix.deploy.measure.profiles import module_rows, special_line

    for name, profile in profiles.items():
        click.echo()
        calls = f"{profile.runs} calls of their own, {profile.total_us:.0f} us each"
        click.echo(f"profile of {name}: {profile.method}, {calls}")
        columns = ("module", "kind", "us", "share", "bound by")
        console(sys.stdout).print(plain_table(columns, module_rows(profile), right=("us", "share")))
        if line := special_line(profile):
            click.echo(line)


def settings_line(report: BenchReport) -> str:
    """How it was measured, in one line."""
    if report.verdict.is_emulated:
        return f"compared: outputs alone; inputs: {', '.join(sorted({one.input_source for one in report.subjects}))}"
    runs = sorted({len(record.samples) for record in report.subjects})
    counted = str(runs[0]) if len(runs) == 1 else f"{runs[0]} to {runs[-1]}"
    threads = sorted({record.subject.threads for record in report.subjects})
    sources = sorted({record.input_source for record in report.subjects})
    settings = report.settings
    parts = [
        f"{counted} timed runs each, in {report.rounds} shuffled rounds of {settings.block}",
        f"{settings.openings} process{'' if settings.openings == 1 else 'es'} each",
        "1 thread (the default)" if threads == [1] else f"threads: {', '.join(map(str, threads))}",
        f"inputs: {', '.join(sources)}",
        "times in ms",
    ]
    return f"measured: {'; '.join(parts)}"


def delegate_notes(report: BenchReport) -> tuple[str, ...]:
    """How much of each file the delegate left, where it did not take all."""
    return tuple(
        f"{record.name}: {coverage_words(record.delegate_coverage)}"
        for record in report.subjects
        if record.delegate_coverage is not None
        and record.name != report.control
        and record.delegate_coverage.get("delegated") != record.delegate_coverage.get("operators")
    )
