"""condmix eval, of networks that score labels: precision of each file on images of which several labels may hold."""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path

import click

from condmix.deploy.commands.eval_detectors import JSON_FILE, NOT_OF_DETECTORS, PAGE
from condmix.deploy.detect.location import make_folder
from condmix.deploy.errors import PlanError
from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.json_text import to_json
from condmix.deploy.terminal import console, stage_progress


def evaluate_labels(
    files: tuple[Path, ...],
    labelled: Path,
    against: Path | None,
    output: Path,
    typed: Collection[str],
    *,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
) -> ExitCode:
    """The report lies in `output` and is told. Raises PlanError, and what the evaluation raises."""
    idle = [f"--{name.replace('_', '-')}" for name in NOT_OF_DETECTORS if name in typed]
    if idle:
        summary = "these flags are about classes:"
        raise PlanError(summary, [f"{flag}: leave it out, {labelled} holds labels" for flag in idle])
    from condmix.deploy.atomic import pending_files, require_room

    targets = (output / JSON_FILE, output / PAGE)
    make_folder(output)
    require_room(targets, overwrite=overwrite)
    with stage_progress(quiet=quiet) as report_progress:
        report_progress("start")
        from condmix.deploy.evaluate.label_report import COLUMNS
        from condmix.deploy.evaluate.label_report import evaluate_labels as evaluate

        paths = files if against is None else (against, *(path for path in files if path != against))
        report = evaluate(paths, labelled, report_progress)
        with pending_files(overwrite=overwrite) as pending:
            for path, content in zip(targets, (to_json(report.to_dict()), report.to_markdown()), strict=True):
                pending.write(path, content.encode())
            pending.commit()
    if as_json:
        click.echo(to_json(report.to_dict()), nl=False)
        return ExitCode.OK
    from condmix.deploy.tables import plain_table

    console(sys.stdout).print(plain_table(COLUMNS, report.rows(), right=COLUMNS[1:]))
    for sentence in report.sentences():
        click.echo(sentence)
    click.echo(f"report: {targets[1]}")
    return ExitCode.OK
