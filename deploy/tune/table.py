"""python -m condmix.deploy.tune.table: the table of measured forms from the records of tuned exports."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from condmix.exporters.errors import TuningDataError
from condmix.exporters.tune.form_table import FILE, Entry, read_table, target_of, written_table
from condmix.exporters.tune.measured import Timed, TimedRun
from condmix.runtime.errors import InvalidRecordError

_SEPARATOR = " + "


@click.command()
@click.argument("records", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), default=FILE, help="The table.")
@click.option("--anew", is_flag=True, help="Leave out what the table holds already.")
def main(records: tuple[Path, ...], output: Path, anew: bool) -> None:
    """Put what RECORDS (NAME.condmix.json of exports with --tune) have measured into the table.

    A block comes in where another form was faster beyond the noise than the written rule's, for one image and thread;
    where records disagree about a block, it stays out.
    """
    try:
        kept = () if anew or not output.exists() else read_table(output.read_bytes(), str(output))
        found = [entry for path in records for entry in entries_of(_tuning(path))]
    except (TuningDataError, InvalidRecordError) as error:
        click.echo(f"condmix: {error}", err=True)
        sys.exit(3)
    table = merged(kept, found)
    output.write_bytes(written_table(table))
    click.echo(f"{output}: {len(table)} entries")


def entries_of(tuning: Mapping[str, Any]) -> Iterator[Entry | tuple[str, str]]:
    """An entry for each kind of block that another form made faster; (target, block) for one where none did.

    Raises InvalidRecordError for a damaged record.
    """
    if (tuning["threads"], tuning["batch"]) != (1, 1):
        return
    machine = tuning["machine"]
    target = target_of(machine["architecture"], machine["features"])
    for block in tuning["blocks"]:
        if not block["candidates"]:
            continue
        run = TimedRun(
            candidates=tuple(Timed.from_dict(one) for one in block["candidates"]),
            noise_floor=block["noise_floor"],
            median_ms=block["median_ms"],
        )
        best, first = run.fastest(), run.candidates[0]
        if best is first or best.ratio is None or best.low is None or best.high is None or run.noise_floor is None:
            yield target, block["what"]
            continue
        yield Entry(
            target=target,
            block=block["what"],
            forms=tuple(best.name.split(_SEPARATOR)),
            over=tuple(first.name.split(_SEPARATOR)),
            ratio=round(best.ratio, 3),
            low=round(best.low, 3),
            high=round(best.high, 3),
            noise_floor=round(run.noise_floor, 3),
            runtime=machine["runtime"],
            machine=", ".join(machine["model_names"]),
        )


def merged(kept: Sequence[Entry], found: Sequence[Entry | tuple[str, str]]) -> tuple[Entry, ...]:
    """The table with what was found: newer measurements replace older ones, and those that disagree are left out."""
    votes: dict[tuple[str, str], list[Entry | None]] = {}
    for one in found:
        key = (one.target, one.block) if isinstance(one, Entry) else one
        votes.setdefault(key, []).append(one if isinstance(one, Entry) else None)
    table = {(entry.target, entry.block): entry for entry in kept if (entry.target, entry.block) not in votes}
    for key, entries in votes.items():
        agreed = [entry for entry in entries if entry is not None]
        if len(agreed) == len(entries) and len({entry.forms for entry in agreed}) == 1:
            table[key] = max(agreed, key=lambda entry: entry.ratio)
    return tuple(table.values())


def _tuning(path: Path) -> Mapping[str, Any]:
    try:
        tuning = json.loads(path.read_bytes()).get("tuning")
    except (OSError, ValueError, AttributeError) as error:
        message = f"{path}: cannot be read: {' '.join(str(error).split())}"
        raise TuningDataError(message) from error
    if not isinstance(tuning, Mapping):
        message = f"{path}: it is not the record of an export with --tune"
        raise TuningDataError(message)
    return tuning


if __name__ == "__main__":
    main()
