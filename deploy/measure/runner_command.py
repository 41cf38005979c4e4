"""condmix bench --write-runner: the single file that measures elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from condmix.deploy.errors import PlanError
from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.measure.errors import PlaceError
from condmix.deploy.measure.runner import write_runner


def lay_down_runner(path: Path, files: Sequence[Path], *, overwrite: bool) -> ExitCode:
    """The single-file runner lies at `path`; it measures elsewhere, so nothing is measured here.

    Raises PlanError for files and for one that is there, PlaceError.
    """
    if files:
        summary = "--write-runner writes a file to measure with elsewhere, and measures nothing here:"
        raise PlanError(summary, [f"leave {file} out, or measure it without --write-runner" for file in files])
    if path.exists() and not overwrite:
        summary = "the runner exists:"
        raise PlanError(summary, [f"{path}: pass --overwrite to replace it, or choose another name"])
    try:
        write_runner(path)
    except OSError as error:
        raise PlaceError(path, error, named_by="--write-runner") from error
    click.echo(f"runner: {path}")
    click.echo(f"next: copy it and the files to the device, then: python {path.name} FILE... --output report.json")
    return ExitCode.OK
