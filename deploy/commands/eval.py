"""condmix eval: accuracy and parity of many files over a large labelled set, in shards that can be resumed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from condmix.deploy.commands.eval_set import BOXES, LABELS, evaluate_set
from condmix.deploy.detect.location import is_detection_set
from condmix.deploy.evaluate.label_location import is_label_set
from condmix.deploy.evaluate.scheduler import LOCAL, Scheduler, SchedulerText
from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.failures import explained, failure_json
from condmix.deploy.invocation import current_invocation
from condmix.deploy.json_text import to_json
from condmix.deploy.measure.flags import NumberList
from condmix.deploy.parameters import MOST_IMAGES_A_CALL, exit_code_epilog, output_options
from condmix.deploy.terminal import stage_progress

if TYPE_CHECKING:
    from condmix.deploy.evaluate.flow import EvalRequest
    from condmix.deploy.evaluate.report import EvalReport
    from condmix.deploy.evaluate.run import Progress

_PATH = click.Path(path_type=Path)
_AT_LEAST_1 = click.IntRange(min=1)
DEFAULT_SHARD_IMAGES = 64


@click.command(
    "eval",
    short_help="Tell what files answer on a large labelled set.",
    epilog=exit_code_epilog(
        "condmix eval model.onnx model_int8.onnx model_int8.tflite --labelled validation/ -o evaluation",
        "condmix eval detector.pt detector.onnx detector_int8.tflite --labelled shapes/ -o evaluation",
        "condmix eval model.condmix.zip --against stock.onnx --labelled digits.npz -o evaluation",
        "condmix eval model.onnx model_int8.onnx --labelled validation/ --top 1,5 --workers 8 -o evaluation --resume",
        "condmix eval model.onnx model_int8.onnx --labelled validation/ --scheduler tcp://10.0.0.1:8786 -o evaluation",
    ),
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=_PATH)
@click.option(
    "--labelled",
    metavar="FOLDER|FILE.npz",
    required=True,
    type=_PATH,
    help="One folder of pictures a class, `images` with `labels`, or of detectors annotations.json beside images/.",
)
@click.option("--against", metavar="FILE", type=_PATH, help="What all are compared with; the first FILE if left out.")
@click.option("--top", type=NumberList(), help="Of how many answers one must be right; 1,5 if left out.")
@click.option(
    "--batch",
    metavar="N",
    type=click.IntRange(1, MOST_IMAGES_A_CALL),
    help="Images an inference, for files that leave it free; 1 if left out.",
)
@click.option(
    "--shard-size",
    metavar="N",
    type=_AT_LEAST_1,
    default=DEFAULT_SHARD_IMAGES,
    show_default=True,
    help="Images a shard.",
)
@click.option(
    "--scheduler",
    type=SchedulerText(),
    default=LOCAL,
    show_default=True,
    help="This process, processes of this machine, or an existing Dask cluster.",
)
@click.option(
    "--workers", metavar="N", type=_AT_LEAST_1, help="Processes of --scheduler local; one a core if left out."
)
@click.option(
    "--state", metavar="FOLDER", type=_PATH, help="Keep finished shards there, for good; OUTPUT/shards if left out."
)
@click.option("--resume", is_flag=True, help="Take the finished shards that still fit.")
@click.option(
    "-o", "--output", metavar="FOLDER", required=True, type=_PATH, help="Where the report appears: Markdown, JSON, CSV."
)
@click.option("-f", "--overwrite", is_flag=True, help="Replace a report that is there.")
@output_options
@explained
def evaluate(
    *,
    files: tuple[Path, ...],
    labelled: Path,
    against: Path | None,
    top: tuple[int, ...] | None,
    batch: int | None,
    shard_size: int,
    scheduler: str,
    workers: int | None,
    state: Path | None,
    resume: bool,
    output: Path,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> ExitCode:
    """Run every FILE, .onnx or .tflite of anybody or a bundle, on all labelled images, and count what it answers.

    A folder with annotations.json (COCO) and images/ is for detectors: mean average precision, and whose boxes match; a
    FILE may then be a checkpoint, which PyTorch runs. A folder with labels.csv (file,labels divided by ;), or a .npz
    whose labels are a matrix of 0 and 1, is for networks that score labels: mean average precision.

    The first FILE is the one that others are compared with, image by image. Shards are measured in parallel; the result
    is the same, to the last bit, as that of --scheduler serial. Interrupted, the same command goes on with --resume.
    """
    del verbose  # read by the boundary
    kind = BOXES if is_detection_set(labelled) else LABELS if is_label_set(labelled) else None
    if kind is not None:
        return evaluate_set(
            kind, files, labelled, against, output, _typed(), overwrite=overwrite, as_json=as_json, quiet=quiet
        )
    with stage_progress(quiet=quiet) as report_progress:
        report_progress("look into the files")
        from condmix.deploy.evaluate.flow import EvalRequest, Evaluation, make_plan
        from condmix.deploy.evaluate.write import write_report

        request = EvalRequest(
            files=files,
            labelled=labelled,
            output=output,
            scheduler=Scheduler(name=scheduler, workers=workers),
            against=against,
            top=top,
            batch=batch,
            shard_images=shard_size,
            state=state,
            resume=resume,
            overwrite=overwrite,
            command_line=current_invocation().command_line,
        )
        evaluation = Evaluation(make_plan(request, report_progress))
        try:
            report = evaluation.report(report_progress)
        except BaseException as error:
            # A library may have caught the interruption and failed in its own words.
            if isinstance(error, KeyboardInterrupt) or current_invocation().interrupts.seen:
                return _interrupted(request, evaluation.run.progress, as_json=as_json)
            raise
        report_progress("write the report")
        written = write_report(report, output, overwrite=overwrite)
        evaluation.finish()
    _tell(report, written[0], as_json=as_json)
    if report.nonfinite_files:
        click.echo(f"condmix: scores are not finite: {', '.join(report.nonfinite_files)}", err=True)
        return ExitCode.PARITY
    return ExitCode.OK


def _typed() -> frozenset[str]:
    context = click.get_current_context()
    default = click.core.ParameterSource.DEFAULT
    return frozenset(name for name in context.params if context.get_parameter_source(name) is not default)


def _interrupted(request: EvalRequest, progress: Progress, *, as_json: bool) -> ExitCode:
    message = (
        f"interrupted after {progress.done} of {progress.total} shards, which are kept in {request.state_folder}; the "
        "same command with --resume goes on from there"
    )
    click.echo(f"condmix: {message}", err=True)
    if as_json:
        click.echo(failure_json(ExitCode.INTERRUPTED, "Interrupted", message))
    return ExitCode.INTERRUPTED


def _tell(report: EvalReport, page: Path, *, as_json: bool) -> None:
    if as_json:
        click.echo(to_json(report.to_dict()), nl=False)
        return
    from condmix.deploy.evaluate.table import LEFT, columns_of, rows_of_table, run_sentence, sentences
    from condmix.deploy.tables import plain_table
    from condmix.deploy.terminal import console

    columns = columns_of(report)
    right = [column for column in columns if column not in LEFT]
    console(sys.stdout).print(plain_table(columns, rows_of_table(report), right=right))
    for sentence in (*sentences(report), *(f"note: {note}" for note in report.notes), run_sentence(report)):
        click.echo(sentence)
    click.echo(f"results: {report.results_sha256}, the same for the same files and images however they are measured")
    click.echo(f"report: {page}")
