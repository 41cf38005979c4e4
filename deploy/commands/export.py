"""condmix export: weights in, a verified ONNX file and its record out."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import click

from condmix.deploy.atomic import require_room
from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.failures import explained
from condmix.deploy.input_size import RequestedSize
from condmix.deploy.invocation import current_invocation
from condmix.deploy.loading import Loading
from condmix.deploy.output_names import output_names
from condmix.deploy.parameters import (
    BatchSize,
    NearestChoice,
    exit_code_epilog,
    loading_options,
    model_argument,
    output_options,
    version_option,
)
from condmix.deploy.terminal import print_summary, stage_progress
from condmix.exporters.options import (
    CONDCONV_CHOICES,
    DEFAULT_OPSET,
    MIXCONV_CHOICES,
    NEWEST_OPSET,
    OLDEST_OPSET,
    ExportOptions,
)

FORMATS = ("onnx",)
PLANNED_FORMATS = ("tflite",)
STAGE_CHOICES = ("named", "rewritten", "final")
DEFAULT_TOLERANCE = 2e-5


def _refuse_int8(context: click.Context, parameter: click.Parameter, given: bool) -> bool:
    if given:
        message = f"int8 files are not in this release, which has: float32 as {', '.join(FORMATS)}"
        raise click.BadParameter(message, ctx=context, param=parameter)
    return given


@click.command(
    "export",
    short_help="Write a verified ONNX file.",
    epilog=exit_code_epilog(
        "condmix-export model.pt --format onnx",
        "condmix-export mixnet_s.pt --arch timm:mixnet_s --format onnx --batch dynamic",
        "condmix-export weights.safetensors --arch condconv_mobilenet_v2 --set experts=4 -o out/net.onnx",
        "condmix-export model.pt --factory my_project.networks:build --input-size 3x160x160",
    ),
)
@model_argument
@click.option(
    "--format",
    "format_name",
    type=NearestChoice(FORMATS, planned=PLANNED_FORMATS),
    default="onnx",
    show_default=True,
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="File or folder to write to; beside MODEL if left out.",
)
@loading_options
@click.option("--batch", type=BatchSize(), default="1", show_default=True, help="Images a call.")
@click.option(
    "--opset",
    type=int,
    metavar="N",
    default=DEFAULT_OPSET,
    show_default=True,
    help=f"{OLDEST_OPSET} to {NEWEST_OPSET}.",
)
@click.option(
    "--condconv",
    type=NearestChoice(CONDCONV_CHOICES),
    default="auto",
    show_default=True,
    help="Form of CondConv.",
)
@click.option(
    "--mixconv",
    type=NearestChoice(MIXCONV_CHOICES),
    default="auto",
    show_default=True,
    help="Form of MixConv.",
)
@click.option("--stage", type=NearestChoice(STAGE_CHOICES), default="final", show_default=True, help="Where to stop.")
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 1, max_open=True),
    default=DEFAULT_TOLERANCE,
    show_default=True,
    metavar="SHARE",
    help="Largest error, as a share of the largest output.",
)
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    help="Verify on these: a folder of pictures, or a preprocessed .npy (N,C,H,W).",
)
@click.option("--int8", is_flag=True, hidden=True, expose_value=False, callback=_refuse_int8)
@click.option("-f", "--overwrite", is_flag=True, help="Replace existing files.")
@output_options
@version_option
@explained
def export(
    *,
    model: Path,
    format_name: str,
    output: Path | None,
    architecture: str | None,
    factory: str | None,
    settings: dict[str, object],
    input_size: RequestedSize | None,
    allow_pickle: bool,
    batch: int | None,
    opset: int,
    condconv: str,
    mixconv: str,
    stage: str,
    tolerance: float,
    images: Path | None,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> ExitCode:
    """Write the trained network in MODEL as an ONNX file that is proven equal to PyTorch.

    MODEL is a .pt, .pth or .safetensors file. Beside NAME.onnx lies NAME.condmix.json, the full record.
    A file that fails parity is only ever written as NAME.rejected.onnx.
    """
    del format_name  # there is one, and the parameter's type has checked it
    options = ExportOptions(batch=batch, opset=opset, condconv=condconv, mixconv=mixconv, stage=stage)
    loading = Loading(
        model=model,
        architecture=architecture,
        factory=factory,
        settings=settings,
        input_size=input_size,
        allow_pickle=allow_pickle,
    )
    names = output_names(model, output, stage)
    require_room(names.all, overwrite=overwrite)
    # From here on it takes seconds: torch is imported.
    with stage_progress(quiet=quiet) as report_progress:
        report_progress("start")
        from condmix.deploy.pipeline import run
        from condmix.deploy.plan import Plan
        from condmix.deploy.record import to_json
        from condmix.deploy.summary import failure_text, summarise
        from condmix.runtime.tolerance import Tolerance

        plan = Plan(
            loading=loading,
            output=names,
            options=options,
            tolerance=replace(Tolerance.for_precision("float32"), relative=tolerance),
            images=images,
            overwrite=overwrite,
            command_line=current_invocation().command_line,
        )
        # Code of the user's own (--factory, --allow-pickle) may print: stdout is for the result.
        with redirect_stdout(sys.stderr):
            outcome = run(plan, report_progress)
    if as_json:
        click.echo(to_json(outcome.to_dict()), nl=False)
    else:
        print_summary(summarise(outcome, in_detail=verbose))
    if outcome.passed:
        return ExitCode.OK
    click.echo(f"condmix: {failure_text(outcome)}", err=True)
    return ExitCode.PARITY
