"""condmix train: a classifier of the zoo on real handwritten digits, or a detector on pictures made here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from condmix.deploy.atomic import require_room
from condmix.deploy.commands.train_detector import train_detector
from condmix.deploy.errors import PlanError
from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.failures import explained
from condmix.deploy.parameters import SettingText, exit_code_epilog, output_options, settings_of
from condmix.deploy.terminal import epoch_progress

SCHEMA_VERSION = 1
CHECKPOINT_SUFFIXES = (".pt", ".pth")


@click.command(
    "train",
    short_help="Train a small classifier or detector.",
    epilog=exit_code_epilog(
        "condmix train condconv_digits -o digits.pt",
        "condmix train mixnet_digits -o digits.pt --epochs 5 --seed 1",
        "condmix train ssd_condconv_shapes -o detector.pt",
        "condmix train condconv_digits -o two.pt --set experts=2",
        "condmix train mixnet_s -o s.pt --set in_channels=1 --set num_classes=10 --set input_size=64",
        "condmix train condconv_digits -o slow.pt --learning-rate 2e-3 --routing-rate 2 --batch-size 32",
    ),
)
@click.argument("architecture", metavar="ARCH")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Checkpoint to write (.pt, .pth).")
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    help="Passes over the pictures; the trainer's own number if left out.",
)
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, 1, min_open=True),
    help="The largest one of the schedule; the trainer's own if left out, as of the next two.",
)
@click.option("--batch-size", type=click.IntRange(min=2), help="Pictures a step.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Of a detector: a folder with annotations.json (COCO) and images/; pictures are made here if left out.",
)
@click.option(
    "--routing-rate",
    type=click.FloatRange(0, 1000, min_open=True),
    help="How much faster the routing of CondConv learns than the rest.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Of weights, order and augmentation.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    type=SettingText(),
    callback=settings_of,
    help="Setting of ARCH, such as experts=2.",
)
@click.option("-f", "--overwrite", is_flag=True, help="Replace an existing file.")
@output_options
@explained
def train(
    *,
    architecture: str,
    output: Path,
    epochs: int | None,
    learning_rate: float | None,
    batch_size: int | None,
    routing_rate: float | None,
    seed: int,
    data: Path | None,
    settings: dict[str, object],
    overwrite: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> ExitCode:
    """Train ARCH on real handwritten digits and save it as a checkpoint that `condmix export` takes as it is.

    Of the 1797 digits a fifth is held out and never trained on; the accuracy printed is on those.

    A detector (ssd_..., ssdlite_...) is trained on shapes and digits pasted on photographs; the mean average precision
    printed is on pictures of other photographs and digits.
    """
    del verbose  # read by the boundary
    if output.suffix not in CHECKPOINT_SUFFIXES:
        summary = "the output (-o) cannot be used:"
        raise PlanError(summary, [f"{output} does not end in {' or '.join(CHECKPOINT_SUFFIXES)}"])
    require_room((output,), overwrite=overwrite)
    from condmix.deploy.detector_training import is_detector
    from condmix.deploy.digits_training import check_suits_digits, train_digits
    from condmix.models.training import TrainingSettings

    given = {
        "epochs": epochs,
        "learning_rate": learning_rate,
        "batch_size": batch_size,
        "routing_rate": routing_rate,
    }
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if is_detector(architecture):
        return train_detector(
            architecture, settings, {**chosen, "seed": seed}, data, output, as_json=as_json, quiet=quiet
        )
    if data is not None:
        summary = "these cannot be used together:"
        raise PlanError(summary, [f"--data is about detectors, {architecture} is trained on the digits: leave it out"])
    check_suits_digits(architecture, settings)
    wanted = TrainingSettings(seed=seed, **chosen)
    with epoch_progress(architecture, quiet=quiet) as report_progress:
        trained = train_digits(architecture, settings, wanted, output, report_progress)
    result = trained.result
    if as_json:
        from condmix.deploy.json_text import to_json

        record = {
            "schema_version": SCHEMA_VERSION,
            "kind": "condmix-training",
            "architecture": architecture,
            "settings": settings,
            "file": str(output),
            **{name: getattr(wanted, name) for name in given},
            "seed": seed,
            "held_out_accuracy": result.held_out_accuracy,
            "held_out_count": result.held_out_count,
            "epoch_losses": list(result.epoch_losses),
            "seconds": round(result.seconds, 3),
        }
        click.echo(to_json(record), nl=False)
        return ExitCode.OK
    click.echo(f"{architecture}  {wanted.epochs} epochs in {result.seconds:.1f} s, seed {seed}")
    click.echo(f" accuracy {result.held_out_accuracy:.2%} of {result.held_out_count} held-out digits")
    click.echo(f" saved    {output}")
    click.echo(f" next     condmix-export {output} --format onnx")
    return ExitCode.OK
