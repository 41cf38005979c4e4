"""The difference of two reports, for people."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from condmix.deploy.tables import plain_table
from condmix.deploy.terminal import console

if TYPE_CHECKING:
    from condmix.deploy.measure.report_difference import ReportsDifference


def print_reports(found: ReportsDifference) -> None:
    """All of it is on stdout, verdicts first."""
    click.echo(f"a: {found.verdict_a}  ({found.a})")
    click.echo(f"b: {found.verdict_b}  ({found.b})")
    for note in found.notes:
        click.echo(note)
    for about, values in (("settings", found.settings), ("machine", found.environment)):
        if values:
            click.echo()
            rows = [(name, _cell(old), _cell(new)) for name, (old, new) in values.items()]
            console(sys.stdout).print(plain_table((about, "a", "b"), rows))
    if found.subjects:
        click.echo()
        rows = [(one.name, one.median_text(one_machine=found.one_machine), one.ratio_text()) for one in found.subjects]
        console(sys.stdout).print(plain_table(("subject", "median ms", "ratio to the first"), rows))
    for one in found.subjects:
        for fact in one.facts:
            click.echo(f"{one.name}: {fact}")
    for about, names in (("a", found.only_a), ("b", found.only_b)):
        if names:
            click.echo(f"only in {about}: {', '.join(names)}")


def _cell(value: object) -> str:
    return "not known" if value is None else str(value)
