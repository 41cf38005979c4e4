"""condmix compare: float32 and int8, ONNX and TFLite, stock and condmix of one network in one table."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import click

from condmix.deploy.errors import PlanError
from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.failures import explained
from condmix.deploy.input_size import RequestedSize
from condmix.deploy.invocation import current_invocation
from condmix.deploy.json_text import to_json
from condmix.deploy.loading import Loading
from condmix.deploy.measure.flags import NumberList
from condmix.deploy.naming import extra_input_option
from condmix.deploy.parameters import NearestChoice, exit_code_epilog, loading_options, output_options
from condmix.deploy.terminal import stage_progress

if TYPE_CHECKING:
    from condmix.deploy.compare.request import CompareRequest
    from condmix.deploy.compare.write import Comparison
    from condmix.runtime.bench.settings import BenchSettings

FILE_SUFFIXES = (".onnx", ".tflite")
NETWORK_ONLY = (
    "calib", "evaluate", "experts", "architecture", "factory", "settings", "input_size", "allow_pickle", "more_inputs",
)  # fmt: skip
"""Flags about building files, which say nothing of files that are there."""
_FLAG_OF = {"architecture": "--arch", "settings": "--set", "more_inputs": "--extra-input"}


@click.command(
    "compare",
    short_help="Compare a network's files, stock and ours, in one table.",
    epilog=exit_code_epilog(
        "condmix compare model.pt -o comparison",
        "condmix compare model.pt --calib images/ --evaluate labelled/ -o comparison",
        "condmix compare program.pt2 -o comparison",
        "condmix compare model.pt --calib images/ --experts int8 --threads 1,2 -o comparison",
        "condmix compare stock.onnx model.onnx model.tflite",
    ),
)
@click.argument("sources", metavar="CHECKPOINT|FILE...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    "folder",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Where files, table and report appear; needed for a CHECKPOINT.",
)
@click.option(
    "--calib", metavar="PATH|PACKAGE.MODULE:FUNCTION", help="Images for int8 files; without it there are none."
)
@click.option(
    "--evaluate",
    metavar="PATH|PACKAGE.MODULE:FUNCTION",
    help="Labelled images: top-1 of every file.",
)
@click.option(
    "--experts", type=NearestChoice(("int8",)), help="Also files with int8 expert banks and float arithmetic."
)
@loading_options
@extra_input_option
@click.option("--threads", type=NumberList(), default="1", show_default=True, help="Of the engine; several to compare.")
@click.option(
    "--runs", type=click.IntRange(min=1), default=100, show_default=True, help="Timed runs of each file, at least."
)
@click.option(
    "--seconds", type=click.FloatRange(min=0), default=2.0, show_default=True, help="Timed seconds of each, at least."
)
@click.option("--profile", is_flag=True, help="Then also profile each file, in runs of its own, for the report.")
@click.option("-f", "--overwrite", is_flag=True, help="Replace existing files.")
@output_options
@explained
def compare(
    *,
    sources: tuple[Path, ...],
    folder: Path | None,
    calib: str | None,
    evaluate: str | None,
    experts: str | None,
    architecture: str | None,
    factory: str | None,
    settings: dict[str, object],
    input_size: RequestedSize | None,
    allow_pickle: bool,
    more_inputs: dict[str, tuple[int, ...]],
    threads: tuple[int, ...],
    runs: int,
    seconds: float,
    profile: bool,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,  # noqa: ARG001 - read by `explained`
) -> ExitCode:
    """Build the files of the network in CHECKPOINT, stock and ours, and measure them in turns; or measure given FILEs.

    Of a weights file, a .pt2 or a TorchScript file: what torch.onnx.export writes, and our ONNX and TFLite files, each
    proven; with --calib the same in int8. Of .onnx and .tflite files of anybody: those. What cannot be built is a row
    with its reason.
    """
    weights = _check(sources, folder)
    with stage_progress(quiet=quiet) as say:
        say("start")
        from condmix.deploy.compare.request import CompareRequest
        from condmix.runtime.bench.settings import BenchSettings

        bench = BenchSettings(minimum_runs=runs, minimum_seconds=seconds)
        if weights is None or folder is None:
            comparison = _of_files(sources, folder, bench, threads, say, profile=profile, overwrite=overwrite)
        else:
            request = CompareRequest(
                loading=Loading(
                    model=weights,
                    architecture=architecture,
                    factory=factory,
                    settings=settings,
                    input_size=input_size,
                    allow_pickle=allow_pickle,
                    more_inputs=more_inputs,
                ),
                folder=folder,
                calib=calib,
                evaluate=evaluate,
                expert_banks=experts is not None,
                overwrite=overwrite,
                command_line=current_invocation().command_line,
                profile=profile,
            )
            comparison = _of_network(request, bench, threads, say)
    return _tell(comparison, folder, overwrite=overwrite, as_json=as_json)


def _check(sources: tuple[Path, ...], folder: Path | None) -> Path | None:
    """The weights file; None for model files. Raises PlanError with all that contradicts itself."""
    context = click.get_current_context()
    if not sources:
        message = "give a weights file, or .onnx and .tflite files"
        raise click.UsageError(message, ctx=context)
    weights = [path for path in sources if path.suffix.lower() not in FILE_SUFFIXES]
    problems = []
    if weights and len(sources) > 1:
        problems.append(f"{weights[0]} is a weights file: give it alone, or .onnx and .tflite files only")
    if weights and folder is None:
        problems.append("files are built from a weights file: say where with -o FOLDER")
    if not weights:
        default = click.core.ParameterSource.DEFAULT
        typed = [name for name in NETWORK_ONLY if context.get_parameter_source(name) is not default]
        flags = [_FLAG_OF.get(name, f"--{name.replace('_', '-')}") for name in typed]
        problems += [f"{flag} is about building files from a weights file: leave it out" for flag in flags]
    if problems:
        summary = "this cannot be compared:"
        raise PlanError(summary, problems)
    return weights[0] if weights else None


def _of_files(
    files: tuple[Path, ...],
    folder: Path | None,
    settings: BenchSettings,
    threads: tuple[int, ...],
    say: Callable[[str], None],
    *,
    profile: bool,
    overwrite: bool,
) -> Comparison:
    from condmix.deploy.compare.run import compare_files
    from condmix.deploy.compare.write import check_folder
    from condmix.deploy.measure.progress import told

    if folder is not None:
        check_folder(folder, overwrite=overwrite)
    command_line = current_invocation().command_line
    return compare_files(
        files, settings, threads, command_line=command_line, profile=profile, say=say, report_progress=told(say)
    )


def _of_network(
    request: CompareRequest, settings: BenchSettings, threads: tuple[int, ...], say: Callable[[str], None]
) -> Comparison:
    from condmix.deploy.compare.request import room
    from condmix.deploy.compare.run import compare_network
    from condmix.deploy.measure.progress import told

    # Code of the user's own (--factory, --calib package:function) may print: stdout is for the result.
    with room(request), redirect_stdout(sys.stderr):
        return compare_network(request, settings, threads, say=say, report_progress=told(say))


def _tell(comparison: Comparison, folder: Path | None, *, overwrite: bool, as_json: bool) -> ExitCode:
    """The table is on stdout first, then everything in files: what cannot be written is not lost."""
    from condmix.deploy.compare.ending import ending
    from condmix.deploy.compare.table import COLUMNS, NUMBERS
    from condmix.deploy.measure.summary_table import noise_line
    from condmix.deploy.tables import plain_table
    from condmix.deploy.terminal import console

    if as_json:
        click.echo(to_json(comparison.to_dict()), nl=False)
    else:
        click.echo(f"{comparison.report.verdict.first_line()}\n")
        rows = [row.cells() for row in comparison.rows]
        console(sys.stdout).print(plain_table(COLUMNS, rows, right=NUMBERS))
        click.echo(f"\nTimes in ms; ratios are to {comparison.report.baseline}. {noise_line(comparison.report)}.")
        for note in comparison.notes:
            click.echo(f"note: {note}")
    if folder is not None:
        from condmix.deploy.compare.write import write_comparison
        from condmix.deploy.report.write import write_report

        written = write_report(comparison.report, folder, overwrite=overwrite)
        table, *_ = write_comparison(comparison, folder, overwrite=overwrite)
        click.echo(f"table: {table}", err=as_json)
        click.echo(f"report: {written.html}", err=as_json)
    code, lines = ending(comparison)
    for line in lines:
        click.echo(f"condmix: {line}", err=True)
    return code
