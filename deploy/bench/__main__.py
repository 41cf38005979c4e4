"""The front of `make bench`: measures everything and writes bench.json and bench.md into a folder."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import click

from condmix.deploy.bench.costs import ProcessCost, export_costs, import_seconds
from condmix.deploy.bench.latency import SubjectResult, measure_subject
from condmix.deploy.bench.page import render
from condmix.deploy.bench.subjects import SUBJECTS, settled_network
from condmix.models import checkpoint
from condmix.models.preprocessing import Preprocessing
from condmix.runtime.cpu import read_cpu_facts
from condmix.runtime.latency_report import LatencySettings

EXPORTED = "condconv_efficientnet_b0_8e"


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--network", "networks", multiple=True, help="Only these networks (default: all).")
@click.option("--runs", default=200, show_default=True, help="Timed runs of each file.")
@click.option("--size", default=224, show_default=True, help="Height and width of the input.")
@click.option("--rounds", default=3, show_default=True, help="Exports of each kind to time; 0 leaves them out.")
def main(folder: Path, networks: tuple[str, ...], runs: int, size: int, rounds: int) -> None:
    """Measure speed and cost against torch.onnx.export; results go to FOLDER."""
    settings = LatencySettings(warmup_runs=10, minimum_runs=runs, minimum_seconds=1.0, block=2, seed=0)
    costs: dict[str, list[ProcessCost]] = {}
    imports: dict[str, float] = {}
    if rounds:
        # First: the system counts this process's own memory to that of the processes it starts.
        click.echo(f"exporting {EXPORTED} {rounds} times each way ...", err=True)
        costs = _export_costs(rounds)
        imports = import_seconds(5 * rounds)
    results: list[SubjectResult] = []
    for subject in SUBJECTS:
        if networks and subject.network not in networks:
            continue
        click.echo(f"measuring {subject.network} ...", err=True)
        results.append(measure_subject(subject, size, settings))
    command = "python -m condmix.deploy.bench " + " ".join(sys.argv[1:])
    page = render(results, costs, imports, read_cpu_facts(), command)
    folder.mkdir(parents=True, exist_ok=True)
    data = {
        "schema_version": 1,
        "command": command,
        "machine": asdict(read_cpu_facts()),
        "latency": [{"network": result.network, "report": result.report.to_dict()} for result in results],
        "export": {name: [asdict(cost) for cost in runs_of] for name, runs_of in costs.items()},
        "import_seconds": imports,
    }
    (folder / "bench.json").write_text(json.dumps(data))
    (folder / "bench.md").write_text(page)
    click.echo(page)
    click.echo(f"written to {folder / 'bench.md'}; every sample is in {folder / 'bench.json'}", err=True)


def _export_costs(rounds: int) -> dict[str, list[ProcessCost]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "network.pt"
        module = settled_network(EXPORTED, {}, 224)
        preprocessing = Preprocessing(mean=(0.5,) * 3, std=(0.5,) * 3)
        checkpoint.save(path, module, architecture=EXPORTED, input_size=(3, 224, 224), preprocessing=preprocessing)
        return export_costs(path, folder, rounds)


if __name__ == "__main__":
    main()
