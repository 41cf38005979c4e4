"""condmix export: weights in, verified ONNX and TFLite files and their record out."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path

import click

from condmix.deploy.any_size_flags import check_any_size
from condmix.deploy.atomic import require_room
from condmix.deploy.detect.flags import check_detection_flags, detection_options, take_detection_flags
from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.failures import explained
from condmix.deploy.format_choices import FORMATS, FormatFlags, choose_formats
from condmix.deploy.input_size import RequestedSize
from condmix.deploy.int8.command import check_float_flags, export_int8
from condmix.deploy.int8.flags import check as check_int8
from condmix.deploy.int8.flags import int8_flags_of, int8_options
from condmix.deploy.invocation import current_invocation
from condmix.deploy.json_text import to_json
from condmix.deploy.loading import Loading
from condmix.deploy.naming import naming_options
from condmix.deploy.output_names import output_names as written_names
from condmix.deploy.parameters import (
    BatchSize,
    NearestChoice,
    NearestChoices,
    exit_code_epilog,
    loading_options,
    model_argument,
    output_options,
    version_option,
)
from condmix.deploy.terminal import print_summary, stage_progress
from condmix.deploy.tune.flags import check_tune_flags, forms_of, take_tune_flags, tune_options, tune_plan
from condmix.exporters.options import (
    CONDCONV_CHOICES,
    DEFAULT_OPSET,
    MIXCONV_CHOICES,
    NEWEST_OPSET,
    OLDEST_OPSET,
)
from condmix.exporters.tflite.options import EXPERT_BANKS, LAYOUTS, PRECISIONS

STAGE_CHOICES = ("named", "rewritten", "final")
DEFAULT_TOLERANCES = "2e-05; 5e-03 with float16 weights, 5e-02 with int8 experts"


@click.command(
    "export",
    short_help="Write verified ONNX and TFLite files.",
    epilog=exit_code_epilog(
        "condmix-export model.pt --format onnx",
        "condmix-export model.pt --format onnx,tflite",
        "condmix-export model.pt --format tflite --experts int8",
        "condmix-export model.pt --format onnx,tflite --int8 --calib images/",
        "condmix-export model.pt --int8 --calib images/ --evaluate labelled/ --max-drop 0.01",
        "condmix-export model.pt --tune",
        "condmix-export model.pt --tune --device ssh://pi@raspberrypi.local",
        "condmix-export mixnet_s.pt --arch timm:mixnet_s --format onnx --batch dynamic",
        "condmix-export weights.safetensors --arch condconv_mobilenet_v2 --set experts=4 -o out/net.onnx",
        "condmix-export model.pt --dynamic-size --batch dynamic",
        "condmix-export model.pt --factory my_project.networks:build --input-size 3x160x160",
    ),
)
@model_argument
@click.option(
    "--format",
    "formats",
    type=NearestChoices(FORMATS),
    default="onnx",
    show_default=True,
    help="What to write.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="File or folder to write to; beside MODEL if left out.",
)
@loading_options
@click.option("--batch", type=BatchSize(), default="1", show_default=True, help="Images a call.")
@click.option("--in-turn", is_flag=True, help="In the ONNX file, one image of a call after another.")
@click.option(
    "--dynamic-size",
    is_flag=True,
    help="One ONNX file for any height and width, proven at several.",
)
@click.option(
    "--opset",
    type=int,
    metavar="N",
    default=DEFAULT_OPSET,
    show_default=True,
    help=f"Of the ONNX file, {OLDEST_OPSET} to {NEWEST_OPSET}.",
)
@click.option(
    "--condconv",
    type=NearestChoice(CONDCONV_CHOICES),
    default="auto",
    show_default=True,
    help="Form of CondConv; in TFLite auto or experts.",
)
@click.option(
    "--mixconv",
    type=NearestChoice(MIXCONV_CHOICES),
    default="auto",
    show_default=True,
    help="Form of MixConv in the ONNX file.",
)
@click.option(
    "--stage",
    type=NearestChoice(STAGE_CHOICES),
    default="final",
    show_default=True,
    help="Where to stop on the way to the ONNX file.",
)
@click.option(
    "--precision",
    type=NearestChoice(PRECISIONS),
    default="float32",
    show_default=True,
    help="Weights of the TFLite file; it computes in float32.",
)
@click.option(
    "--experts",
    type=NearestChoice(EXPERT_BANKS),
    help="How expert banks are stored; as --precision says if left out. float16 is for TFLite.",
)
@click.option(
    "--layout",
    type=NearestChoice(LAYOUTS),
    default="nhwc",
    show_default=True,
    help="Of the TFLite file's input; the ONNX file's is nchw.",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 1, max_open=True),
    show_default=DEFAULT_TOLERANCES,
    metavar="SHARE",
    help="Largest error, as a share of the largest output.",
)
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    help="Verify on these: a folder of pictures, or a preprocessed .npy (N,C,H,W).",
)
@naming_options
@detection_options
@int8_options
@tune_options
@click.option("-f", "--overwrite", is_flag=True, help="Replace existing files.")
@output_options
@version_option
@explained
def export(
    *,
    model: Path,
    formats: tuple[str, ...],
    output: Path | None,
    architecture: str | None,
    factory: str | None,
    settings: dict[str, object],
    input_size: RequestedSize | None,
    allow_pickle: bool,
    batch: int | None,
    in_turn: bool,
    dynamic_size: bool,
    opset: int,
    condconv: str,
    mixconv: str,
    stage: str,
    precision: str,
    experts: str | None,
    layout: str,
    tolerance: float | None,
    images: Path | None,
    output_names: tuple[str, ...] | None,
    input_names: tuple[str, ...] | None,
    more_inputs: dict[str, tuple[int, ...]],
    overwrite: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    int8: bool,
    **more: object,
) -> ExitCode:
    """Write the trained network in MODEL as ONNX and TFLite files that are proven equal to PyTorch.

    MODEL is a .pt, .pth or .safetensors file. Beside NAME.onnx and NAME.tflite lie NAME.condmix.json, the full record,
    and NAME.reference.npz, some of the images they were verified on with PyTorch's outputs. A file that fails parity is
    only ever written as NAME.rejected.onnx or NAME.rejected.tflite.

    With --int8 the files are NAME_int8.onnx and NAME_int8.tflite, beside the ranges that they rest on.

    MODEL may be an .onnx file that anybody exported: its own results are the yardstick, and the ONNX file is
    NAME_condmix.onnx. It may be a .pt2 of torch.export, or TorchScript (give --input-size): the program itself is the
    yardstick, and nothing but torch's operators is run.
    """
    detection = take_detection_flags(more)
    tune_flags, int8_flags = take_tune_flags(more), int8_flags_of(more)
    about_forms = {"condconv": condconv, "mixconv": mixconv, "stage": stage, "experts": experts}
    check_tune_flags(tune_flags, _typed(), about_forms, int8=int8)
    check_int8(int8_flags, formats, _typed(), int8=int8)
    tuning, forms_file = tune_plan(tune_flags), forms_of(tune_flags)
    flags = FormatFlags(
        batch=batch,
        opset=opset,
        condconv=condconv,
        mixconv=mixconv,
        stage=stage,
        experts=experts,
        precision=precision,
        layout=layout,
        forms=() if forms_file is None else forms_file.forms,
        in_turn=in_turn,
        dynamic_size=dynamic_size,
        typed=_typed(),
    )
    check_any_size(formats, flags)
    check_detection_flags(detection, formats, _typed(), stage=stage, dynamic_size=dynamic_size)
    loading = Loading(
        model=model,
        architecture=architecture,
        factory=factory,
        settings=settings,
        input_size=input_size,
        allow_pickle=allow_pickle,
        input_names=input_names,
        output_names=output_names,
        more_inputs=more_inputs,
        any_size=dynamic_size,
        detection=detection,
    )
    if int8:
        check_float_flags(_typed())
        return export_int8(
            loading,
            output,
            formats,
            flags,
            int8_flags,
            overwrite=overwrite,
            as_json=as_json,
            quiet=quiet,
            verbose=verbose,
        )
    choices = choose_formats(formats, flags)
    names = written_names(model, output, choices)
    require_room((*names.all, *(() if tuning is None else (names.forms,))), overwrite=overwrite)
    # From here on it takes seconds: torch is imported.
    with stage_progress(quiet=quiet) as report_progress:
        report_progress("start")
        from condmix.deploy.pipeline import run
        from condmix.deploy.plan import Plan
        from condmix.deploy.summary import failure_text, summarise
        from condmix.deploy.tolerances import tolerances_for

        plan = Plan(
            loading=loading,
            output=names,
            choices=choices,
            tolerances=tolerances_for(choices, tolerance),
            images=images,
            overwrite=overwrite,
            command_line=current_invocation().command_line,
            tuning=tuning,
            forms_file=forms_file,
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


def _typed() -> frozenset[str]:
    """The names of the parameters that were typed: a flag that changes nothing is refused, not its default."""
    context = click.get_current_context()
    default = click.core.ParameterSource.DEFAULT
    return frozenset(name for name in context.params if context.get_parameter_source(name) is not default)
