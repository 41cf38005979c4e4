"""condmix diff: two model files or two reports beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from condmix.deploy.commands.audit import ShapeText
from condmix.deploy.errors import PlanError
from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.failures import explained
from condmix.deploy.json_text import to_json
from condmix.deploy.parameters import exit_code_epilog, output_options
from condmix.deploy.terminal import stage_progress

REPORT_SUFFIX = ".json"


@click.command(
    "diff",
    short_help="Tell what differs between two model files, or two reports.",
    epilog=exit_code_epilog(
        "condmix diff model.onnx model_int8.onnx",
        "condmix diff model.onnx model.tflite",
        "condmix diff old/report.json new/report.json",
        "condmix diff a.onnx b.onnx --shape images=1x3x320x320 --json",
    ),
)
@click.argument("a", metavar="A", type=click.Path(path_type=Path))
@click.argument("b", metavar="B", type=click.Path(path_type=Path))
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
def diff(
    *,
    a: Path,
    b: Path,
    shapes: Sequence[tuple[str, tuple[int, ...]]],
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> ExitCode:
    """Tell what differs between A and B: two .onnx or .tflite files of anybody, or two reports of condmix bench.

    Of files: size, inputs and outputs, operators, arithmetic, constants by name, and what both answer to the same
    random inputs. Of reports: settings, machine, verdicts, and each subject's median and ratio then and now. A
    difference is no failure: the exit code is 0.
    """
    reports = [path.suffix.lower() == REPORT_SUFFIX for path in (a, b)]
    if any(reports) and not all(reports):
        summary = "a report and a model file have nothing to compare:"
        kinds = [f"{path} is a {'report' if of else 'model file'}" for path, of in zip((a, b), reports, strict=True)]
        raise PlanError(summary, [*kinds, "give two .json reports, or two .onnx or .tflite files"])
    if all(reports):
        if shapes:
            summary = "reports are compared as they are; leave these out:"
            raise PlanError(summary, ["--shape is about model files"])
        return _reports(a, b, as_json=as_json)
    from condmix.deploy.measure.file_difference import compare_files

    with stage_progress(quiet=quiet) as report_progress:
        found = compare_files(a, b, shapes=dict(shapes), report_progress=report_progress)
    if as_json:
        click.echo(to_json(found.to_dict()), nl=False)
    else:
        from condmix.deploy.measure.file_difference_text import print_files

        print_files(found, in_detail=verbose)
    return ExitCode.OK


def _reports(a: Path, b: Path, *, as_json: bool) -> ExitCode:
    from condmix.deploy.measure.report_difference import compare_reports
    from condmix.deploy.measure.report_files import read_reports

    old, new = read_reports((a, b))
    found = compare_reports(a, old, b, new)
    if as_json:
        click.echo(to_json(found.to_dict()), nl=False)
    else:
        from condmix.deploy.measure.report_difference_text import print_reports

        print_reports(found)
    return ExitCode.OK
