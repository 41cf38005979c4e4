"""condmix bundle: one file with everything that a device needs to run the models and to prove that they are right."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.failures import explained
from condmix.deploy.json_text import to_json
from condmix.deploy.parameters import exit_code_epilog, output_options
from condmix.deploy.sizes import file_size
from condmix.deploy.terminal import print_summary, stage_progress

if TYPE_CHECKING:
    from condmix.deploy.bundle.write import BundleOutcome


@click.command(
    "bundle",
    short_help="Pack exported files with inputs, PyTorch's outputs and hashes.",
    epilog=exit_code_epilog(
        "condmix bundle out/",
        "condmix bundle digits.onnx digits_int8.onnx -o digits.condmix.zip",
        "condmix bundle other.onnx --reference other.npz --tolerance 1e-4",
        "condmix verify digits.condmix.zip",
    ),
)
@click.argument("paths", metavar="FOLDER|FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    metavar="FILE|FOLDER",
    type=click.Path(path_type=Path),
    help="Bundle to write; NAME.condmix.zip beside the files if left out.",
)
@click.option("--name", metavar="NAME", help="Name of the network; that of its weights file if left out.")
@click.option(
    "--reference",
    metavar="FILE.npz",
    type=click.Path(path_type=Path),
    help="Inputs and expected outputs, for files that have no NAME.reference.npz beside them.",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    help="Largest difference allowed to files of which the reference states no limit.",
)
@click.option("-f", "--overwrite", is_flag=True, help="Replace an existing bundle.")
@output_options
@explained
def bundle(
    *,
    paths: tuple[Path, ...],
    output: Path | None,
    name: str | None,
    reference: Path | None,
    tolerance: float | None,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> ExitCode:
    """Pack model files of one network, in float and int8, into one bundle for `condmix verify` and `condmix bench`.

    FOLDER is the output of condmix export: all its .onnx and .tflite files that were accepted, with their records and
    references. Every file is run once more; nothing is written unless each computes what PyTorch did.
    """
    del verbose  # read by the boundary
    from condmix.deploy.bundle.write import BundlePlan, write_bundle

    if tolerance is not None and not math.isfinite(tolerance):
        message = f"{tolerance} is no difference"
        raise click.BadParameter(message, param_hint="'--tolerance'")
    plan = BundlePlan(
        paths=paths, output=output, name=name, reference=reference, tolerance=tolerance, overwrite=overwrite
    )
    with stage_progress(quiet=quiet) as report_progress:
        outcome = write_bundle(plan, report_progress)
    if as_json:
        click.echo(to_json(outcome.to_dict()), nl=False)
    else:
        print_summary("\n".join(_lines(outcome)))
    if outcome.written:
        return ExitCode.OK
    failed = any(not check.passed and check.missing is None for check in outcome.checks)
    return ExitCode.PARITY if failed else ExitCode.MISSING


def _lines(outcome: BundleOutcome) -> list[str]:
    from condmix.deploy.bundle.check_line import check_line

    width = max(len(check.name) for check in outcome.checks)
    lines = [check_line(check, name_width=width) for check in outcome.checks]
    lines += [f"note    {note}" for note in outcome.notes]
    if outcome.manifest is None or outcome.size_bytes is None:
        return [*lines, f"{outcome.path} was not written: not every file was shown to compute what PyTorch computes"]
    return [
        *lines,
        f"bundle  {outcome.path}  {len(outcome.manifest.members)} members, {file_size(outcome.size_bytes)}",
        f"digest  {outcome.digest}",
        f"next    condmix verify {outcome.path}",
    ]
