"""condmix train, of a detector: from settings to a checkpoint, and what is printed of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.terminal import epoch_progress

if TYPE_CHECKING:
    from condmix.deploy.detector_training import TrainedDetector

SCHEMA_VERSION = 1
KIND = "condmix-detector-training"


def train_detector(
    architecture: str,
    settings: dict[str, object],
    choices: Mapping[str, Any],
    data: Path | None,
    output: Path,
    *,
    as_json: bool,
    quiet: bool,
) -> ExitCode:
    """The detector is trained, saved at `output`, and told of. Raises what `train_and_save` raises, SettingsError."""
    from condmix.deploy.detector_training import train_and_save
    from condmix.deploy.json_text import to_json
    from condmix.models.detection_training import DetectionTrainingSettings

    wanted = DetectionTrainingSettings(**choices)
    with epoch_progress(architecture, quiet=quiet) as report_progress:
        trained = train_and_save(architecture, settings, wanted, data, output, report_progress)
    if as_json:
        click.echo(to_json({**_record(trained, settings), **choices, "epochs": wanted.epochs}), nl=False)
        return ExitCode.OK
    precision = trained.precision
    each = "  ".join(
        f"{name} {value:.1%}"
        for name, value in zip(trained.class_names, precision.of_class_at_50, strict=True)
        if value is not None
    )
    click.echo(f"{architecture}  {wanted.epochs} epochs in {trained.result.seconds:.1f} s, seed {wanted.seed}")
    where = f"{precision.picture_count} held-out pictures with {precision.object_count} objects"
    click.echo(f" mAP@0.5  {precision.at_50:.1%}, mAP@0.5:0.95 {precision.at_50_to_95:.1%}, on {where}")
    click.echo(f" classes  {each}")
    click.echo(f" saved    {output}")
    click.echo(f" next     condmix-export {output} --format onnx,tflite --detections boxes")
    return ExitCode.OK


def _record(trained: TrainedDetector, settings: Mapping[str, object]) -> dict[str, object]:
    precision = trained.precision
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": KIND,
        "architecture": trained.architecture,
        "settings": dict(settings),
        "file": str(trained.path),
        "map_50": precision.at_50,
        "map_50_95": precision.at_50_to_95,
        "of_class_50": dict(zip(trained.class_names, precision.of_class_at_50, strict=True)),
        "held_out_count": precision.picture_count,
        "held_out_objects": precision.object_count,
        "epoch_losses": list(trained.result.epoch_losses),
        "seconds": round(trained.result.seconds, 3),
    }
