"""`condmix export --int8`: from what was typed to files, words and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from contextlib import redirect_stdout
from pathlib import Path

import click

from condmix.deploy.atomic import require_room
from condmix.deploy.errors import PlanError
from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.format_choices import FormatFlags
from condmix.deploy.int8.flags import Int8Flags
from condmix.deploy.invocation import current_invocation
from condmix.deploy.json_text import to_json
from condmix.deploy.loading import Loading
from condmix.deploy.terminal import print_summary, stage_progress

FLOAT_ONLY = ("condconv", "mixconv", "stage", "precision", "experts", "tolerance", "images", "in_turn")
"""Flags of float exports, which would change nothing here."""


def check_float_flags(typed: Collection[str]) -> None:
    """Nothing happens unless a flag of float exports was typed beside --int8. Raises PlanError naming all."""
    found = [name for name in FLOAT_ONLY if name in typed]
    if found:
        summary = "these flags contradict --int8:"
        raise PlanError(summary, [f"--{name.replace('_', '-')} is about float files: leave it out" for name in found])


def export_int8(
    loading: Loading,
    output: Path | None,
    formats: Sequence[str],
    flags: FormatFlags,
    int8_flags: Int8Flags,
    *,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> ExitCode:
    """The int8 files of a network. Raises the errors of `exit_codes.CODE_OF_FAILURE`."""
    with stage_progress(quiet=quiet) as report_progress:
        report_progress("start")
        from condmix.deploy.int8.pipeline import run
        from condmix.deploy.int8.plan import plan_int8
        from condmix.deploy.int8.summary import failure_text, summarise

        plan = plan_int8(
            loading,
            output,
            formats,
            int8_flags,
            batch=flags.batch,
            opset=flags.opset,
            layout=flags.layout,
            dynamic_size=flags.dynamic_size,
            overwrite=overwrite,
            command_line=current_invocation().command_line,
        )
        require_room(plan.all_paths, overwrite=overwrite)
        # Code of the user's own (--factory, --calib package:function) may print: stdout is for the result.
        with redirect_stdout(sys.stderr):
            outcome = run(plan, report_progress)
    if as_json:
        click.echo(to_json(outcome.to_dict()), nl=False)
    else:
        print_summary(summarise(outcome, in_detail=verbose))
    if outcome.passed:
        return ExitCode.OK
    click.echo(f"condmix: {failure_text(outcome)}", err=True)
    if outcome.shared.passed and all(file.verification.passed for file in outcome.files):
        return ExitCode.ACCURACY
    return ExitCode.PARITY
