"""What is printed and written of the figures of the user's own tool."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from condmix.deploy.atomic import pending_files, require_room
from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.json_text import to_json
from condmix.deploy.measure.words import MISSING, memory, milliseconds

if TYPE_CHECKING:
    from condmix.deploy.measure.own_tool import ToolOutcome

RECORD, TABLE = "tool.json", "tool.md"
COLUMNS = ("device", "file", "threads", "runs", "load ms", "first ms", "mean ms", "median ms", "p90 ms", "peak memory")


def require_room_for_tool(output: Path | None, *, overwrite: bool) -> None:
    """Both files can be written. Raises PlanError or OutputError."""
    if output is not None and output.is_dir():
        require_room((output / RECORD, output / TABLE), overwrite=overwrite)


def tell_tool(outcome: ToolOutcome, output: Path | None, *, overwrite: bool, as_json: bool) -> ExitCode:
    """Figures, what they lack and failures are printed, then in files. Raises OutputError."""
    if as_json:
        click.echo(to_json(outcome.to_dict()), nl=False)
    else:
        for line in lines(outcome):
            click.echo(line)
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        with pending_files(overwrite=overwrite) as files:
            files.write(output / RECORD, to_json(outcome.to_dict()).encode())
            files.write(output / TABLE, markdown(outcome).encode())
            files.commit()
        click.echo(f"report: {output / TABLE}", err=as_json)
    for failure in outcome.failures.values():
        click.echo(f"condmix: {failure}", err=True)
    return outcome.exit_code


def rows(outcome: ToolOutcome) -> list[tuple[str, ...]]:
    """One for each result; a dash where the tool told nothing."""
    found = []
    for one in outcome.results:
        figures = one.figures
        times = (figures.load_ns, figures.first_ns, figures.mean_ns, figures.median_ns, figures.p90_ns)
        found.append(
            (
                one.device,
                one.file.name,
                str(one.threads),
                MISSING if figures.runs is None else str(figures.runs),
                *map(milliseconds, times),
                memory(figures.peak_memory_bytes),
            )
        )
    return found


def lines(outcome: ToolOutcome) -> list[str]:
    """First lines, table, delegates, what was not checked."""
    found = [f"{device}: {line}" for device, line in _first_lines(outcome)]
    if outcome.results:
        table = [COLUMNS, *rows(outcome)]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        found += ["", *("  ".join(map(str.ljust, row, widths)).rstrip() for row in table), ""]
    found += [f"{name}: {words}" for name, words in _delegated(outcome)]
    found += [f"not checked: {reason}" for reason in _lacking(outcome)]
    return found + [f"note: {note}" for note in outcome.notes]


def markdown(outcome: ToolOutcome) -> str:
    """The same as a page, with the commands and, folded, what the tool printed."""
    from condmix.deploy.report.markdown import escaped

    found = [f"**{escaped(f'{device}: {line}')}**\n" for device, line in _first_lines(outcome)]
    found += ["# Figures of the user's own tool", ""]
    found += [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    found += [f"| {' | '.join(map(escaped, row))} |" for row in rows(outcome)]
    found += ["", *(f"- {escaped(f'{name}: {words}')}" for name, words in _delegated(outcome))]
    found += ["", "Not checked, and not known:", "", *(f"- {escaped(reason)}" for reason in _lacking(outcome))]
    found += [f"- {escaped(failure)}" for failure in outcome.failures.values()]
    found += [f"- {escaped(note)}" for note in outcome.notes]
    for one in outcome.results:
        what = escaped(f"{one.device}, {one.file.name}, sha256 {one.sha256}")
        found += ["", f"<details><summary>{what}</summary>", "", "    " + one.command, ""]
        found += ["    " + line for line in one.output.splitlines()]
        found += ["", "    " + json.dumps(one.sections, ensure_ascii=False), "", "</details>"]
    return "\n".join([*found, ""])


def _first_lines(outcome: ToolOutcome) -> list[tuple[str, str]]:
    """Each that is said of a device, once."""
    return list(dict.fromkeys((one.device, one.first_line()) for one in outcome.results))


def _delegated(outcome: ToolOutcome) -> list[tuple[str, str]]:
    said = [(one.file.name, one.figures.delegated) for one in outcome.results]
    return list(dict.fromkeys((name, f"the delegate took {words}") for name, words in said if words))


def _lacking(outcome: ToolOutcome) -> list[str]:
    return list(dict.fromkeys(reason for one in outcome.results for reason in one.lacking))
