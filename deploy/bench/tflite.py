"""The front of `make bench-tflite`: our TFLite files against litert-torch's, in LiteRT, as ratios."""

from __future__ import annotations

import importlib.metadata
import json
import sys
from dataclasses import asdict
from pathlib import Path

import click
import torch

from condmix.deploy.bench.errors import BenchError
from condmix.deploy.bench.litert_environment import FOLDER, find_python
from condmix.deploy.bench.tflite_files import build_files
from condmix.deploy.bench.tflite_latency import OPENINGS, TfliteResult, measure_files
from condmix.deploy.bench.tflite_page import render
from condmix.deploy.bench.tflite_subjects import SUBJECTS
from condmix.deploy.exit_codes import ExitCode
from condmix.runtime.cpu import read_cpu_facts
from condmix.runtime.latency_report import LatencySettings
from condmix.runtime.litert_session import LiteRtBackend

NAMES = [subject.network for subject in SUBJECTS]


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--litert-environment",
    type=click.Path(path_type=Path),
    default=FOLDER,
    show_default=True,
    help="The environment with litert-torch, made by make bench-tflite.",
)
@click.option("--network", "networks", multiple=True, type=click.Choice(NAMES), help="Only these (default: all).")
@click.option("--runs", type=click.IntRange(min=60), default=300, show_default=True, help="Timed runs of each file.")
@click.option("--size", default=224, show_default=True, help="Height and width of the input.")
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="Conversions of ours to time.")
def main(folder: Path, litert_environment: Path, networks: tuple[str, ...], runs: int, size: int, rounds: int) -> None:
    """Measure our TFLite files against litert-torch's; bench-tflite.md and .json go to FOLDER."""
    # A round runs every opening of every file once.
    settings = LatencySettings(warmup_runs=4 * OPENINGS, minimum_runs=runs, minimum_seconds=1.0, block=OPENINGS, seed=0)
    torch.set_num_threads(1)
    if (reason := LiteRtBackend().available()) is not None:
        click.echo(f"condmix: {reason}", err=True)
        sys.exit(int(ExitCode.MISSING))
    results: list[TfliteResult] = []
    machine = read_cpu_facts()
    versions = {**dict(machine.versions), **_installed("torch", "ai-edge-litert")}
    try:
        python = find_python(litert_environment)
        for subject in SUBJECTS:
            if networks and subject.network not in networks:
                continue
            built = build_files(subject, python, size, rounds, _tell)
            versions |= built.versions
            _tell(f"{subject.network}: timing {len(built.files)} files")
            results.append(measure_files(subject.network, built, size, settings))
    except BenchError as error:
        click.echo(f"condmix: {error}", err=True)
        sys.exit(int(error.exit_code))
    command = "python -m condmix.deploy.bench.tflite " + " ".join(sys.argv[1:])
    page = render(results, machine, versions, command, rounds)
    data = {
        "schema_version": 1,
        "command": command,
        "machine": machine.to_dict(),
        "versions": versions,
        "networks": [
            {
                "network": result.network,
                "files": [asdict(row) for row in result.rows],
                "missing": dict(result.missing),
                "report": result.report.to_dict(),
            }
            for result in results
        ],
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bench-tflite.json").write_text(json.dumps(data))
    (folder / "bench-tflite.md").write_text(page)
    click.echo(page)
    click.echo(f"written to {folder / 'bench-tflite.md'}; every sample is in {folder / 'bench-tflite.json'}", err=True)


def _installed(*packages: str) -> dict[str, str]:
    return {package: importlib.metadata.version(package) for package in packages}


def _tell(text: str) -> None:
    click.echo(text, err=True)


if __name__ == "__main__":
    main()
