"""condmix detection-set: pictures with exact boxes, made here, for calibrating and judging detectors."""

from __future__ import annotations

from pathlib import Path

import click

from condmix.deploy.errors import PlanError
from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.failures import explained
from condmix.deploy.json_text import to_json
from condmix.deploy.parameters import exit_code_epilog, output_options
from condmix.deploy.terminal import stage_progress

SCHEMA_VERSION = 1
KIND = "condmix-detection-set"


@click.command(
    "detection-set",
    short_help="Make pictures with boxes, for detectors.",
    epilog=exit_code_epilog(
        "condmix detection-set shapes/ --pictures 300 --held-out",
        "condmix detection-set calibration/ --pictures 300 --seed 1",
    ),
)
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@click.option("--pictures", type=click.IntRange(min=1), default=300, show_default=True, help="How many.")
@click.option("--side", type=click.IntRange(min=32), default=96, show_default=True, help="Pixels of a side.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Everything follows from it.")
@click.option("--held-out", is_flag=True, help="Of the photographs and digits that training never sees.")
@output_options
@explained
def detection_set(
    *,
    folder: Path,
    pictures: int,
    side: int,
    seed: int,
    held_out: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> ExitCode:
    """Write FOLDER with annotations.json (COCO) and images/: shapes and handwritten digits on darkened photographs.

    They are what `condmix train` trains detectors on; of the parts that it holds out with --held-out.
    """
    del verbose  # read by the boundary
    if folder.exists():
        summary = "the folder cannot be used:"
        raise PlanError(summary, [f"{folder} exists: give a new one, nothing in it is replaced"])
    with stage_progress(quiet=quiet) as report_progress:
        report_progress("start")
        from condmix.deploy.detect.detection_set import write_detection_set
        from condmix.models.detection_data import PictureMaker

        report_progress("make the pictures")
        made = PictureMaker(held_out=held_out).make(pictures, side=side, seed=seed)
        write_detection_set(folder, made)
    objects = sum(len(labels) for labels in made.labels)
    if as_json:
        record = {"schema_version": SCHEMA_VERSION, "kind": KIND, "folder": str(folder), "pictures": pictures}
        record |= {"objects": objects, "class_names": list(made.class_names), "seed": seed, "held_out": held_out}
        click.echo(to_json(record), nl=False)
        return ExitCode.OK
    click.echo(f"{pictures} pictures of {side}x{side} with {objects} objects: {', '.join(made.class_names)}")
    click.echo(f" saved    {folder}")
    click.echo(f" next     condmix eval detector.pt detector.onnx --labelled {folder} -o evaluation")
    return ExitCode.OK
