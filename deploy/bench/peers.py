"""The front of `make bench-peers`: our files beside those of OpenVINO, MNN, ExecuTorch, litert-torch and onnx2tf."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from condmix.deploy.bench.errors import BenchError, NotPreparedError
from condmix.deploy.bench.peers_environments import FOLDER, PEERS, checked, ensure_environment
from condmix.deploy.bench.peers_files import NetworkFiles, convert_peers
from condmix.deploy.bench.peers_measure import Measurement, PeerSettings, measure_rows, starter
from condmix.deploy.bench.peers_page import render
from condmix.deploy.bench.peers_rows import ROWS_FILE, load
from condmix.deploy.bench.peers_tune import tune_row
from condmix.deploy.bench.subjects import SUBJECTS
from condmix.runtime.cpu import read_cpu_facts

NETWORKS = {subject.network: subject for subject in SUBJECTS}
STEPS = ("install", "export", "tune", "convert", "measure")


class _Named(click.ParamType[tuple[str, Path]]):
    """NAME=PATH of an environment that is there already."""

    name = "NAME=PATH"

    def convert(self, value: str, parameter: click.Parameter | None, context: click.Context | None) -> tuple[str, Path]:
        """(peer, folder)."""
        peer, found, path = value.partition("=")
        if not found or peer not in PEERS or not Path(path).is_dir():
            self.fail(f"expected one of {', '.join(PEERS)}, then = and a folder, found {value!r}", parameter, context)
        return peer, Path(path)


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--network", "networks", multiple=True, type=click.Choice(list(NETWORKS)), help="Only these.")
@click.option("--peer", "peers", multiple=True, type=click.Choice(list(PEERS)), help="Only these peers.")
@click.option("--threads", multiple=True, type=click.IntRange(min=1), default=(1, 2), show_default=True)
@click.option("--environments", type=click.Path(path_type=Path), default=FOLDER, show_default=True)
@click.option(
    "--environment",
    "given",
    multiple=True,
    type=_Named(),
    help="An environment that has that peer already, in the pinned version; no other is made for it.",
)
@click.option("--step", "steps", multiple=True, type=click.Choice(STEPS), help="Only these steps (default: all).")
@click.option("--rounds", type=click.IntRange(min=20), default=40, show_default=True, help="Turns of each file.")
@click.option("--openings", type=click.IntRange(min=1), default=2, show_default=True, help="Processes of each file.")
@click.option("--size", type=click.IntRange(min=32), default=224, show_default=True, help="Height and width.")
@click.option("--convert-seconds", default=600.0, show_default=True, help="After which a conversion is given up.")
def main(
    folder: Path,
    networks: tuple[str, ...],
    peers: tuple[str, ...],
    threads: tuple[int, ...],
    environments: Path,
    given: tuple[tuple[str, Path], ...],
    steps: tuple[str, ...],
    rounds: int,
    openings: int,
    size: int,
    convert_seconds: float,
) -> None:
    """Measure our files and those of others; bench-peers.md and .json go to FOLDER, files and samples below it.

    Environments of peers (5 GB in all) are made where they are not there. A peer that cannot be installed, that does
    not convert or that computes something else has its reason in the table; the others go on.
    """
    chosen = steps or STEPS
    work = folder / "peers"
    command = shlex.join(["python", "-m", "condmix.deploy.bench.peers", *sys.argv[1:]])
    try:
        pythons = find_pythons(peers or tuple(PEERS), dict(given), environments, install="install" in chosen)
        # Installing alone needs no files.
        for network in (networks or tuple(NETWORKS)) if set(chosen) != {"install"} else ():
            place = work / network
            if "export" in chosen:
                NetworkFiles(NETWORKS[network], place, size, _tell).write()
            if not (place / ROWS_FILE).is_file():
                raise NotPreparedError(network, place)
            if "tune" in chosen:
                tune_row(NETWORKS[network], place, size, _tell)
            if "convert" in chosen:
                convert_peers(network, place, pythons, convert_seconds, _tell)
            if "measure" in chosen:
                for count in threads:
                    _measure(
                        network, place, pythons, PeerSettings(threads=count, rounds=rounds, openings=openings), command
                    )
    except BenchError as error:
        click.echo(f"condmix: {error}", err=True)
        sys.exit(int(error.exit_code))
    if "measure" in chosen:
        page = write_page(folder, work)
        click.echo(page)
        click.echo(f"written to {folder / 'bench-peers.md'}; every sample is in bench-peers.json beside it", err=True)


def find_pythons(
    peers: Sequence[str], given: Mapping[str, Path], environments: Path, *, install: bool
) -> dict[str, Path | str]:
    """Peer -> its interpreter, or the line that says why there is none. install: make what is not there."""
    pythons: dict[str, Path | str] = {}
    for name in peers:
        peer = PEERS[name]
        try:
            if name in given or not install:
                pythons[name] = checked(peer, given.get(name, environments / name))
            else:
                _tell(f"{name}: its environment in {environments / name}")
                pythons[name] = ensure_environment(peer, environments)
        except BenchError as error:
            pythons[name] = f"not installed: {error}"
            _tell(str(error))
    return pythons


def write_page(folder: Path, work: Path) -> str:
    """bench-peers.md and bench-peers.json hold every measurement below `work`; the page is the answer."""
    found = [
        json.loads(path.read_text())
        for network in NETWORKS
        for path in sorted((work / network).glob("measured-*.json"))
    ]
    results = [Measurement.from_dict(one["measurement"]) for one in found]
    versions: dict[str, str] = {}
    for result in results:
        for row in (one for one in result.rows if one.is_measured):
            versions |= row.row.versions
    machine = read_cpu_facts()
    commands = list(dict.fromkeys(one["command"] for one in found))
    page = render(results, machine, {**dict(machine.versions), **versions}, commands)
    data = {
        "schema_version": 1,
        "commands": commands,
        "machine": machine.to_dict(),
        "versions": versions,
        "networks": [one["measurement"] for one in found],
    }
    (folder / "bench-peers.json").write_text(json.dumps(data))
    (folder / "bench-peers.md").write_text(page)
    return page


def _measure(
    network: str, place: Path, pythons: Mapping[str, Path | str], settings: PeerSettings, command: str
) -> None:
    rows, references = load(place)
    _tell(f"{network}: {len(rows)} rows, threads: {settings.threads}")
    result = measure_rows(network, rows, references, place, settings, starter(pythons, settings.threads))
    data = {"command": command, "measurement": result.to_dict()}
    (place / f"measured-{settings.threads}.json").write_text(json.dumps(data))


def _tell(text: str) -> None:
    click.echo(text, err=True)


if __name__ == "__main__":
    main()
