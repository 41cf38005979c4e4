"""The front of `make accuracy`: full-size networks trained on digits, and what int8 costs them, ours and others'."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click
import torch

from condmix.deploy.bench.accuracy_measure import measure
from condmix.deploy.bench.accuracy_page import render
from condmix.deploy.bench.accuracy_subjects import SUBJECTS
from condmix.deploy.bench.errors import BenchError
from condmix.deploy.bench.litert_environment import find_python
from condmix.deploy.exit_codes import code_of
from condmix.deploy.record import versions
from condmix.runtime.cpu import read_cpu_facts

NAMES = [subject.network for subject in SUBJECTS]
SCHEMA_VERSION = 1
KIND = "condmix-accuracy"


@click.command()
@click.argument("output", type=click.Path(file_okay=False, path_type=Path))
@click.option("--network", "networks", multiple=True, type=click.Choice(NAMES), help="Only these (default: all).")
@click.option(
    "--checkpoints",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where NAME.pt lie, or are written after training (default: OUTPUT).",
)
@click.option(
    "--litert-environment",
    type=click.Path(path_type=Path),
    help="The environment of make bench-tflite, for ai-edge-quantizer; without it that row says so.",
)
def main(output: Path, networks: tuple[str, ...], checkpoints: Path | None, litert_environment: Path | None) -> None:
    """Measure what int8 costs in accuracy; accuracy.md and .json go to OUTPUT."""
    torch.set_num_threads(1)
    try:
        python = None if litert_environment is None else find_python(litert_environment)
        chosen = [subject for subject in SUBJECTS if not networks or subject.network in networks]
        measured = [measure(subject, output, checkpoints or output, python, _tell) for subject in chosen]
    except BenchError as error:
        click.echo(f"condmix: {error}", err=True)
        sys.exit(int(error.exit_code))
    except Exception as error:
        code = code_of(error)
        if code is None:
            raise
        click.echo(f"condmix: {error}", err=True)
        sys.exit(int(code))
    results, counts = [result for result, _ in measured], measured[0][1]
    machine = read_cpu_facts()
    known = dict(versions())
    for result in results:
        known |= result.tool_versions
    command = "python -m condmix.deploy.bench.accuracy " + " ".join(sys.argv[1:])
    page = render(results, counts, machine, known, command)
    data = {
        "schema_version": SCHEMA_VERSION,
        "kind": KIND,
        "command": command,
        "machine": machine.to_dict(),
        "versions": known,
        "images": asdict(counts),
        "networks": [asdict(result) for result in results],
    }
    (output / "accuracy.json").write_text(json.dumps(data, indent=1))
    (output / "accuracy.md").write_text(page)
    click.echo(page)
    click.echo(f"written to {output / 'accuracy.md'} and .json", err=True)


def _tell(text: str) -> None:
    click.echo(text, err=True)


if __name__ == "__main__":
    main()
