"""condmix detect: what a detector finds on pictures, as a table and as pictures."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from condmix.deploy.detect.flags import suppression_options
from condmix.deploy.detect.location import make_folder
from condmix.deploy.errors import PlanError, UnreadableFileError
from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.failures import explained
from condmix.deploy.parameters import exit_code_epilog, output_options
from condmix.deploy.terminal import console, stage_progress

SCHEMA_VERSION = 1
KIND = "condmix-detections"
COLUMNS = ("picture", "class", "score", "x_min", "y_min", "x_max", "y_max")
_PATH = click.Path(path_type=Path)


@click.command(
    "detect",
    short_help="Show what a detector finds on pictures.",
    epilog=exit_code_epilog(
        "condmix detect detector.onnx street.jpg -o found.png",
        "condmix detect detector_int8.tflite one.jpg two.jpg -o found/ --score-threshold 0.5",
        "condmix detect detector.pt street.jpg --json",
    ),
)
@click.argument("file", metavar="FILE", type=_PATH)
@click.argument("pictures", metavar="PICTURE...", nargs=-1, required=True, type=_PATH)
@click.option("-o", "--output", type=_PATH, help="Where the boxes are drawn: a .png for one picture, else a folder.")
@suppression_options
@click.option("-f", "--overwrite", is_flag=True, help="Replace existing files.")
@output_options
@explained
def detect(
    *,
    file: Path,
    pictures: tuple[Path, ...],
    output: Path | None,
    score_threshold: float,
    iou_threshold: float,
    max_detections: int,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> ExitCode:
    """Run FILE, a detector as .onnx, .tflite or checkpoint, on each PICTURE and show what it finds.

    Coordinates are pixels of the picture. Non-maximum suppression is done here, by the numbers given, whatever the file
    itself holds.
    """
    del verbose  # read by the boundary
    targets = _targets(pictures, output)
    with stage_progress(quiet=quiet) as report_progress:
        report_progress("start")
        import io

        from condmix.deploy.atomic import pending_files, require_room
        from condmix.deploy.detect.drawing import draw
        from condmix.deploy.detect.file import open_detector
        from condmix.deploy.detect.rows import rows_of
        from condmix.deploy.picture_files import read_picture, read_pixels
        from condmix.runtime.detection.settings import SuppressionSettings

        for folder in {path.parent for path in targets.values()}:
            make_folder(folder)
        if targets:
            require_room(tuple(targets.values()), overwrite=overwrite)
        detector = open_detector(file)
        settings = SuppressionSettings(
            score_threshold=score_threshold, iou_threshold=iou_threshold, max_detections=max_detections
        )
        rows: list[dict[str, object]] = []
        drawn: dict[Path, bytes] = {}
        for picture in pictures:
            report_progress(f"run {picture.name}")
            try:
                inputs = read_picture(picture, detector.intake)
            except UnreadableFileError as error:
                message = f"{picture}: {error}: expected a picture"
                raise UnreadableFileError(message) from error
            (found,) = detector.reader.candidates(detector.run(inputs[None]), settings)
            pixels = read_pixels(picture)
            names = detector.intake.class_names or tuple(map(str, range(found.scores.shape[1])))
            rows += rows_of(picture.name, found.kept, names, pixels.shape[1], pixels.shape[0])
            if picture in targets:
                stream = io.BytesIO()
                draw(pixels, found.kept, names).save(stream, "PNG")
                drawn[targets[picture]] = stream.getvalue()
        with pending_files(overwrite=overwrite) as files:
            for path, content in drawn.items():
                files.write(path, content)
            files.commit()
    _tell(rows, drawn, file, as_json=as_json)
    return ExitCode.OK


def _targets(pictures: tuple[Path, ...], output: Path | None) -> dict[Path, Path]:
    """The drawing of each picture; none without -o. Raises PlanError."""
    if output is None:
        return {}
    if len(pictures) == 1 and output.suffix.lower() == ".png":
        return {pictures[0]: output}
    targets = {picture: output / f"{picture.stem}.png" for picture in pictures}
    problems = []
    if output.suffix:
        problems.append(f"-o {output}: expected a .png for one picture, or a folder for {len(pictures)}")
    if len(set(targets.values())) < len(pictures):
        problems.append("two of the pictures have one name: their drawings would be one file")
    if problems:
        summary = "the output cannot be used:"
        raise PlanError(summary, problems)
    return targets


def _tell(rows: list[dict[str, object]], drawn: dict[Path, bytes], file: Path, *, as_json: bool) -> None:
    if as_json:
        from condmix.deploy.json_text import to_json

        record = {
            "schema_version": SCHEMA_VERSION,
            "kind": KIND,
            "file": str(file),
            "detections": rows,
            "drawings": [str(path) for path in drawn],
        }
        click.echo(to_json(record), nl=False)
        return
    from condmix.deploy.tables import plain_table

    if rows:
        shown = [[_shown(row[column]) for column in COLUMNS] for row in rows]
        console(sys.stdout).print(plain_table(COLUMNS, shown, right=COLUMNS[2:]))
    else:
        click.echo("nothing was found: a lower --score-threshold shows less certain boxes")
    for path in drawn:
        click.echo(f"drawn: {path}")


def _shown(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)
