"""The demonstration: two networks trained on real digits, exported, verified, measured and summed up.

python -m condmix.deploy.demo OUTPUT_FOLDER
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import click

from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.failures import describe
from condmix.deploy.format_choices import FORMATS, ONNX
from condmix.deploy.tables import plain_table
from condmix.deploy.terminal import console, epoch_progress, print_summary, stage_progress
from condmix.models.network import TorchNetwork

FOLDER = Path("demo-output")
COMMAND_LINE = ("python", "-m", "condmix.deploy.demo")
SEED = 0


@dataclass(frozen=True, kw_only=True)
class DemoExport:
    """One export to make: which network, for how many images a call (None: any number), and as what."""

    architecture: str
    batch: int | None
    formats: tuple[str, ...]
    stem: str
    int8: bool
    """Whether it is made once more in int8."""


EXPORTS = (
    DemoExport(architecture="condconv_digits", batch=1, formats=FORMATS, stem="condconv_digits", int8=True),
    DemoExport(
        architecture="condconv_digits", batch=None, formats=(ONNX,), stem="condconv_digits_any_batch", int8=False
    ),
    DemoExport(architecture="mixnet_digits", batch=1, formats=FORMATS, stem="mixnet_digits", int8=True),
)
COLUMNS = ("network", "batch", "accuracy", "file's own", "file", "size", "proof", "PyTorch ms", "file ms", "ratio")


def main(arguments: list[str]) -> int:
    """The exit code; what was trained, exported, measured and where it lies was said on stdout."""
    if len(arguments) > 1 or any(argument.startswith("-") for argument in arguments):
        click.echo(f"usage: python -m condmix.deploy.demo [OUTPUT_FOLDER, else {FOLDER}]", err=True)
        return ExitCode.USAGE
    folder = Path(arguments[0]) if arguments else FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return run(folder, epochs=None)
    except KeyboardInterrupt:
        click.echo("\ncondmix: interrupted", err=True)
        return ExitCode.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last place where anything can be caught
        code, message = describe(error)
        click.echo(f"condmix: {message}", err=True)
        return code


def run(folder: Path, *, epochs: int | None) -> ExitCode:
    """The demonstration is done in `folder`, older files in it replaced; `epochs` None is the trainer's own number.

    Raises what training and exporting raise.
    """
    from condmix.deploy.demo_report import report_on
    from condmix.deploy.demo_steps import (
        DemoRow,
        export_trained,
        export_trained_int8,
        float_files,
        held_out_count,
        int8_files,
        measure_files,
        save_digits,
        train_for_demo,
    )
    from condmix.deploy.int8.summary import failure_text as int8_failure_text
    from condmix.deploy.int8.summary import summarise as summarise_int8
    from condmix.deploy.summary import failure_text, summarise

    click.echo(f"Two small networks, real handwritten digits; everything goes to {folder}\n")
    trained = {}
    for architecture in dict.fromkeys(item.architecture for item in EXPORTS):
        path = folder / f"{architecture}.pt"
        with epoch_progress(architecture, quiet=False) as report_epoch:
            trained[architecture] = train_for_demo(architecture, path, SEED, epochs, report_epoch)
        result = trained[architecture].result
        click.echo(
            f"{architecture}: {result.held_out_accuracy:.2%} of {result.held_out_count} held-out digits right, "
            f"trained in {result.seconds:.0f} s -> {path}\n"
        )
    calibration, labelled = save_digits(folder)
    rows: list[DemoRow] = []
    pages: list[str] = []
    for item in EXPORTS:
        with stage_progress(quiet=False) as report_progress:
            weights, target = trained[item.architecture].path, folder / f"{item.stem}.{item.formats[0]}"
            outcome = export_trained(weights, target, item.formats, item.batch, report_progress)
        print_summary(summarise(outcome) + "\n")
        if not outcome.passed:
            click.echo(f"condmix: {failure_text(outcome)}", err=True)
            return ExitCode.PARITY
        files = float_files(outcome)
        if item.int8:
            with stage_progress(quiet=False) as report_progress:
                target = folder / f"{item.stem}_int8.{item.formats[0]}"
                rounded = export_trained_int8(weights, target, item.formats, calibration, labelled, report_progress)
            print_summary(summarise_int8(rounded) + "\n")
            if not rounded.passed:
                click.echo(f"condmix: {int8_failure_text(rounded)}", err=True)
                return ExitCode.ACCURACY if rounded.shared.passed else ExitCode.PARITY
            files += int8_files(rounded)
        assert isinstance(outcome.network, TorchNetwork)  # it was trained here
        measured = measure_files(trained[item.architecture], outcome.network.module, item.batch, files)
        rows.extend(measured)
        if item.int8:
            accuracies = {row.file.path.name: row.accuracy for row in measured}
            with stage_progress(quiet=False) as report_progress:
                report, page = report_on(
                    [file.path for file in files],
                    accuracies,
                    held_out_count(),
                    folder / f"{item.stem}-report",
                    COMMAND_LINE,
                    report_progress,
                )
            pages.append(f"  {page}  {report.verdict.first_line()}")
    console(sys.stdout).print(plain_table(COLUMNS, [row.cells() for row in rows], right=COLUMNS[7:]))
    click.echo(
        "accuracy: of PyTorch and of the file itself, on held-out digits. proof: the largest error as a share of the"
    )
    click.echo(
        "largest output; of int8, whose numbers are rounded on purpose, signal over noise against the float network."
    )
    click.echo(
        "ms: median of one image on one thread, PyTorch and the files (.onnx in ONNX Runtime, .tflite in LiteRT)"
    )
    click.echo("timed in turns on this machine just now.")
    click.echo("\nLatency reports of both networks, in both engines and precisions, with profile and routing:")
    for line in pages:
        click.echo(line)
    click.echo(f"\nEverything lies in {folder}: weights (.pt), files (.onnx, .tflite), records (.condmix.json). Try:")
    click.echo(f"  condmix bench {folder / EXPORTS[0].stem}.onnx {folder / EXPORTS[0].stem}_int8.onnx --threads 1,2")
    click.echo(f"  condmix inspect {folder / EXPORTS[0].stem}.tflite")
    click.echo(f"  condmix-export {folder / 'mixnet_digits.pt'} --format onnx --batch 4 -o {folder / 'mine.onnx'}")
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
