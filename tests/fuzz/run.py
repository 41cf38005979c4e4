"""Reads damaged files in processes of their own and counts what came of it.

`python -m tests.fuzz.run --inputs 10000` runs all readers, `--reader NAME` some; a process that dies goes on behind the
input it died of, which is a fault.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.child import ACCEPTED, AT, FAULT
from tests.fuzz.readers import READERS, reader_named
from tests.fuzz.record import Fault, Tally

SECONDS_BEYOND = 120
"""A process may take for its start, and an input that hangs where no Python signal reaches it."""

SHOWN = 5


def fuzz(reader: str, *, first: int, inputs: int, command: Sequence[str] = ()) -> Tally:
    """Read the inputs with seeds from `first` on. command: what stands in for the child, for tests."""
    outcomes: Counter[str] = Counter()
    faults: list[Fault] = []
    slowest, seed, end = 0.0, first, first + inputs
    while seed < end:
        with tempfile.TemporaryDirectory() as outer:
            folder = Path(outer) / "in"
            folder.mkdir()
            told, death = _one_process([*(command or _command()), reader, str(seed), str(end - seed), str(folder)])
            at = (folder / AT).read_text() if (folder / AT).exists() else ""
        for entry in told:
            slowest = max(slowest, float(entry["seconds"]))
            if entry["outcome"] == FAULT:
                faults.append(Fault(seed=int(entry["seed"]), what=str(entry["what"])))
            else:
                outcomes[str(entry["what"] or ACCEPTED)] += 1
        if at == "done":
            break
        if not at.isdigit():
            message = f"{reader}: the process ended before its first input: {death}"
            raise RuntimeError(message)
        faults.append(Fault(seed=int(at), what=death))
        seed = int(at) + 1
    accepted = outcomes.pop(ACCEPTED, 0)
    return Tally(
        reader=reader,
        inputs=inputs,
        accepted=accepted,
        refused=dict(outcomes),
        faults=tuple(faults),
        slowest_seconds=slowest,
    )


def _command() -> list[str]:
    return [sys.executable, "-m", "tests.fuzz.child"]


def _one_process(command: Sequence[str]) -> tuple[list[dict[str, object]], str]:
    """What it told, input by input, and what it died of."""
    seconds = SECONDS_BEYOND + 2 * int(command[-2])
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        output = error.stdout.decode() if isinstance(error.stdout, bytes) else (error.stdout or "")
        return _told(output), f"hung for {seconds} s"
    code = ended.returncode
    name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    where = next((line.strip() for line in ended.stderr.splitlines() if line.lstrip().startswith("File ")), "")
    last = ended.stderr.strip().splitlines()[-1:] or [""]
    return _told(ended.stdout), f"the process died: {name} {where or last[0]}"


def _told(output: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.splitlines() if line.startswith("{") and line.endswith("}")]


def main(arguments: Sequence[str]) -> int:
    """Every tally printed as soon as it is known; 1 where there is a fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run", description=__doc__)
    parser.add_argument("--reader", action="append", choices=[reader.name for reader in READERS])
    parser.add_argument("--inputs", type=int, default=10_000, help="of each quick reader; slow ones get fewer")
    parser.add_argument("--first", type=int, default=0, help="seed of the first input")
    chosen = parser.parse_args(arguments)
    failed = False
    for name in chosen.reader or [reader.name for reader in READERS]:
        tally = fuzz(name, first=chosen.first, inputs=max(1, chosen.inputs // reader_named(name).cost))
        _say(tally.sentence())
        for fault in tally.faults[:SHOWN]:
            _say(f"  seed {fault.seed}: {fault.what}")
        failed = failed or bool(tally.faults)
    return int(failed)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
