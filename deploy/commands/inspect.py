"""condmix inspect: the layers of a weights file, or what an exported file says about itself."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import cast

import click

from condmix.deploy.errors import PlanError
from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.failures import explained
from condmix.deploy.input_size import RequestedSize
from condmix.deploy.inspection import OnnxInspection, WeightsInspection, inspect_onnx, inspect_weights
from condmix.deploy.json_text import to_json
from condmix.deploy.loading import Loading
from condmix.deploy.naming import extra_input_option
from condmix.deploy.onnx_explanation import COLUMNS, OnnxExplanation, explain_onnx
from condmix.deploy.parameters import (
    BatchSize,
    NearestChoice,
    exit_code_epilog,
    loading_options,
    model_argument,
    output_options,
)
from condmix.deploy.tables import LAYER_COLUMNS, LAYER_NUMBERS, layer_rows, plain_table, totals_row
from condmix.deploy.terminal import console, stage_progress
from condmix.deploy.tflite_inspection import TfliteInspection, inspect_tflite
from condmix.exporters.options import CONDCONV_CHOICES, MIXCONV_CHOICES, ExportOptions

EXPORTED_SUFFIXES = (".onnx", ".tflite")
_WEIGHTS_ONLY = {
    "architecture": "--arch",
    "factory": "--factory",
    "settings": "--set",
    "input_size": "--input-size",
    "allow_pickle": "--allow-pickle",
    "more_inputs": "--extra-input",
    "batch": "--batch",
    "condconv": "--condconv",
    "mixconv": "--mixconv",
}


@click.command(
    "inspect",
    short_help="Show the layers of a weights file, or what an exported file says.",
    epilog=exit_code_epilog(
        "condmix inspect model.pt",
        "condmix inspect mixnet_s.pt --arch timm:mixnet_s --batch dynamic",
        "condmix inspect model.onnx --json",
        "condmix inspect model.tflite",
    ),
)
@model_argument
@loading_options
@extra_input_option
@click.option("--batch", type=BatchSize(), default="1", show_default=True, help="Images a call.")
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
@output_options
@explained
def inspect(
    *,
    model: Path,
    architecture: str | None,
    factory: str | None,
    settings: dict[str, object],
    input_size: RequestedSize | None,
    allow_pickle: bool,
    more_inputs: dict[str, tuple[int, ...]],
    batch: int | None,
    condconv: str,
    mixconv: str,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> ExitCode:
    """Show what is in MODEL, layer by layer. Nothing is written and nothing verified.

    Of a weights file: each CondConv and MixConv, what it was recognised as or why not, the form an export
    would give it and why, its multiply-adds for one image and its bytes. Of an .onnx or .tflite file: what it
    and the record beside it say, its operators, and how many of them LiteRT's delegate takes. Of an .onnx file
    of somebody else: what each convolution is taken for and why, or what stands in the way of an export.
    """
    if model.suffix in EXPORTED_SUFFIXES:
        _refuse_weights_flags(model.suffix)
        found = inspect_onnx(model) if model.suffix == ".onnx" else inspect_tflite(model)
        explanation = None
        if isinstance(found, OnnxInspection) and found.record is None:
            with stage_progress(quiet=quiet) as report_progress:
                explanation = explain_onnx(model, input_size, report_progress)
        if as_json:
            explained_as = {} if explanation is None else {"explanation": explanation.to_dict()}
            _print_json({**found.to_dict(), **explained_as})
        else:
            _print_exported(found)
            if explanation is not None:
                _print_explanation(explanation, in_detail=verbose)
        return ExitCode.OK
    loading = Loading(
        model=model,
        architecture=architecture,
        factory=factory,
        settings=settings,
        input_size=input_size,
        allow_pickle=allow_pickle,
        more_inputs=more_inputs,
    )
    options = ExportOptions(batch=batch, condconv=condconv, mixconv=mixconv)
    with stage_progress(quiet=quiet) as report_progress, redirect_stdout(sys.stderr):
        inspected = inspect_weights(loading, options, report_progress)
    if as_json:
        _print_json(inspected.to_dict())
    else:
        _print_weights(inspected, in_detail=verbose)
    return ExitCode.OK


def _refuse_weights_flags(suffix: str) -> None:
    """An exported file says itself what it is: flags about weights would be ignored, so they are refused."""
    context = click.get_current_context()
    given = [
        f"{flag} is about weights files"
        for name, flag in _WEIGHTS_ONLY.items()
        if not (suffix == ".onnx" and name == "input_size")
        and context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT
    ]
    if given:
        summary = f"a file that ends in {suffix} is inspected as it is; leave these out:"
        raise PlanError(summary, given)


def _print_json(record: Mapping[str, object]) -> None:
    click.echo(to_json(record), nl=False)


def _print_weights(found: WeightsInspection, *, in_detail: bool) -> None:
    from condmix.deploy.metadata import size_text

    click.echo(f"{found.file}  {found.architecture}  {size_text(found.input_size, found.options.batch)}")
    _print_layers([layer.to_dict() for layer in found.layers])
    steps = [step for step in found.steps if in_detail or step.applied]
    for step in steps if in_detail else ():
        done = "applied" if step.applied else "declined"
        click.echo(f"rewrite: {step.rule} at {step.path}: {done} {step.note}".rstrip())
    if not in_detail:
        click.echo(f"rewrites applied: {len(steps)} (each with --verbose)")
    for note in found.notes:
        click.echo(f"note: {note}")


def _print_exported(found: OnnxInspection | TfliteInspection) -> None:
    from condmix.deploy.sizes import file_size

    click.echo(f"{found.file}  {file_size(found.size_bytes)}  {_container(found)}  sha256 {found.sha256[:12]}")
    for role, values in (("input", found.inputs), ("output", found.outputs)):
        for name, shape in values.items():
            click.echo(f"{role}: {name} [{', '.join(map(str, shape))}]")
    for key, value in found.metadata.items():
        click.echo(f"{key}: {value}")
    if found.record is not None:
        click.echo(f"verified: {'yes' if found.record.get('passed') is True else 'NO: this file was rejected'}")
        _print_layers(cast("Sequence[Mapping[str, object]]", found.record.get("layers", [])))
    click.echo("operators: " + ", ".join(f"{name} x{count}" for name, count in found.operators.items()))
    if isinstance(found, TfliteInspection):
        click.echo(f"delegate: {found.coverage.sentence()}")
    for note in found.notes:
        click.echo(f"note: {note}")


def _print_explanation(explanation: OnnxExplanation, *, in_detail: bool) -> None:
    """What an export would see; convolutions with stored weights one by one only in detail."""
    for line in explanation.lines():
        click.echo(line)
    shown = [fact for fact in explanation.facts if in_detail or fact.taken_for != "static"]
    if shown:
        rows = [(fact.path, fact.taken_for, fact.what, fact.why) for fact in shown]
        console(sys.stdout).print(plain_table(COLUMNS, rows))


def _container(found: OnnxInspection | TfliteInspection) -> str:
    if isinstance(found, TfliteInspection):
        return "TFLite"
    opsets = ", ".join(f"{domain} {version}" for domain, version in found.opsets.items())
    return f"opset {opsets}  IR {found.ir_version}"


def _print_layers(layers: Sequence[Mapping[str, object]]) -> None:
    if not layers:
        click.echo("no CondConv and no MixConv in it")
        return
    rows = [*layer_rows(layers), totals_row(layers)]
    console(sys.stdout).print(plain_table(LAYER_COLUMNS, rows, right=LAYER_NUMBERS))
