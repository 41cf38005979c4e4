"""condmix audit: what an ONNX or TFLite file truly runs in int8, whoever made it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from condmix.deploy.errors import UnreadableFileError
from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.failures import explained
from condmix.deploy.json_text import to_json
from condmix.deploy.parameters import exit_code_epilog, output_options
from condmix.deploy.sizes import file_size
from condmix.deploy.terminal import console, stage_progress

if TYPE_CHECKING:
    from condmix.runtime.audit.report import Audit
    from condmix.runtime.audit.speed import SpeedComparison

DEFAULT_RUNS = 40


class ShapeText(click.ParamType[tuple[str, tuple[int, ...]]]):
    """NAME=1x3x224x224."""

    name = "shape"

    def convert(
        self, value: str | tuple[str, tuple[int, ...]], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, tuple[int, ...]]:
        """The name of an input and its shape."""
        if isinstance(value, tuple):
            return value
        name, _, text = value.rpartition("=")
        lengths = text.split("x")
        if not name or not all(length.isdecimal() and int(length) > 0 for length in lengths):
            self.fail(f"{value!r} is not a shape: expected NAME=LENGTHxLENGTH, such as input=1x3x224x224", param, ctx)
        return name, tuple(map(int, lengths))


@click.command(
    "audit",
    short_help="Tell what an ONNX or TFLite file truly runs in int8.",
    epilog=exit_code_epilog(
        "condmix audit model_int8.onnx",
        "condmix audit model_int8.onnx --float model.onnx --threads 2",
        "condmix audit model_int8.tflite --json",
        "condmix audit other.onnx --shape images=1x3x320x320",
    ),
)
@click.argument("model", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--float",
    "float_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The float file it was made from: both are timed in turns.",
)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads of the engine.")
@click.option("--runs", type=click.IntRange(min=1), default=DEFAULT_RUNS, show_default=True, help="Timed calls.")
@click.option(
    "--shape",
    "shapes",
    metavar="NAME=1x3x224x224",
    multiple=True,
    type=ShapeText(),
    help="Shape of an input with free axes; may be given several times.",
)
@output_options
@explained
def audit(
    *,
    model: Path,
    float_file: Path | None,
    threads: int,
    runs: int,
    shapes: Sequence[tuple[str, tuple[int, ...]]],
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> ExitCode:
    """Show what FILE, an .onnx or .tflite file of anybody, truly runs in int8 on this machine.

    The graph is the one that the engine makes of the file and runs: the share of multiply-adds in int8, the parts
    that run in float and why, quantise/dequantise round trips, bytes, and where the time goes.
    """
    from condmix.runtime.audit.audit import audit_file
    from condmix.runtime.audit.speed import compare_speed
    from condmix.runtime.errors import ComparisonImpossibleError, SessionFailedError

    with stage_progress(quiet=quiet) as report_progress:
        try:
            report_progress("audit")
            found = audit_file(model, threads=threads, runs=runs, shapes=dict(shapes))
            speed = None
            if float_file is not None:
                report_progress("time both files in turns")
                speed = compare_speed(float_file, model, threads=threads, runs=runs, shapes=dict(shapes))
        except (SessionFailedError, ComparisonImpossibleError) as error:
            # The file opens, but no run of it can be looked at.
            raise UnreadableFileError(str(error)) from error
    if as_json:
        record = {**found.to_dict(), "speed": None if speed is None else speed.to_dict()}
        click.echo(to_json(record), nl=False)
    else:
        _print(found, speed, in_detail=verbose)
    return ExitCode.OK


def _print(found: Audit, speed: SpeedComparison | None, *, in_detail: bool) -> None:
    from condmix.deploy import audit_text
    from condmix.deploy.tables import plain_table

    click.echo(found.verdict())
    if speed is not None:
        click.echo(speed.sentence())
    click.echo(audit_text.heading(found, file_size(found.file.stat().st_size)))
    for columns, rows in (
        (audit_text.ISLAND_COLUMNS, audit_text.island_rows(found)),
        (audit_text.ELEMENTWISE_COLUMNS, audit_text.elementwise_rows(found)),
        (audit_text.OPERATOR_COLUMNS, audit_text.operator_rows(found)),
    ):
        shown, rest = audit_text.shortened(rows, in_detail=in_detail)
        if shown:
            click.echo()
            columns_told, cells = audit_text.without_empty(columns, shown)
            console(sys.stdout).print(plain_table(columns_told, cells, right=audit_text.NUMBERS))
        if rest is not None:
            click.echo(rest)
    click.echo()
    click.echo("\n".join(audit_text.summary_lines(found)))
