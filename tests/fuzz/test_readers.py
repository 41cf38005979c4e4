"""Readers stand damaged files: refused by a named error, or read; within limits of time and memory; nothing written."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.fuzz.readers import READERS, Reader
from tests.fuzz.run import fuzz, main

INPUTS = 100
NIGHTLY_INPUTS = 10_000

_STAND_IN = """
import json, os, sys, pathlib
reader, first, count, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), pathlib.Path(sys.argv[4])
for seed in range(first, first + count):
    (folder / "at").write_text(str(seed))
    if seed == 3 and "die" in reader:
        os.abort()
    what = "UnreadableFileError" if seed % 2 else ""
    outcome = "refused" if what else "accepted"
    if seed == 5:
        outcome, what = "fault", "KeyError: 'x'"
    print(json.dumps({"seed": seed, "outcome": outcome, "what": what, "seconds": 0.5}), flush=True)
(folder / "at").write_text("done")
"""


@pytest.mark.slow
@pytest.mark.parametrize("reader", [pytest.param(reader, id=reader.name) for reader in READERS])
def test_a_reader_stands_damaged_files(reader: Reader) -> None:
    tally = fuzz(reader.name, first=0, inputs=max(5, INPUTS // reader.cost))
    assert tally.faults == (), tally.sentence()
    assert sum(tally.refused.values()) > tally.accepted


@pytest.mark.nightly
@pytest.mark.parametrize("reader", [pytest.param(reader, id=reader.name) for reader in READERS])
def test_a_reader_stands_thousands(reader: Reader) -> None:
    tally = fuzz(reader.name, first=INPUTS, inputs=NIGHTLY_INPUTS // reader.cost)
    assert tally.faults == (), tally.sentence()


def test_every_input_is_accounted_for_even_behind_a_death() -> None:
    tally = fuzz("die", first=0, inputs=8, command=[sys.executable, "-c", _STAND_IN])
    assert tally.inputs == 8
    assert [(fault.seed, fault.what.split(":")[0]) for fault in tally.faults] == [
        (3, "the process died"),
        (5, "KeyError"),
    ]
    assert "SIGABRT" in tally.faults[0].what
    assert tally.accepted == 4
    assert tally.refused == {"UnreadableFileError": 2}
    assert tally.sentence() == "die: 8 inputs, 2 refused by name, 4 sound, 2 faults, slowest 0.50 s"


def test_a_child_that_never_starts_is_no_success() -> None:
    with pytest.raises(RuntimeError, match="the process ended before its first input"):
        fuzz("x", first=0, inputs=1, command=[sys.executable, "-c", "raise SystemExit(3)"])


def test_the_command_prints_a_tally(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--reader", "fleet", "--inputs", "5"]) == 0
    assert capsys.readouterr().out.startswith("fleet: 5 inputs, ")


def test_a_reader_that_lets_errors_through_is_found(tmp_path: Path) -> None:
    from tests.fuzz import child

    def read(path: Path) -> object:
        return path.read_text(encoding="ascii").index("never there")

    faulty = Reader(name="faulty", suffix=".txt", sample=lambda _folder: b"x", read=read)
    path = tmp_path / "damaged.txt"
    path.write_bytes(b"abc")
    assert child._read(faulty, path) == (child.FAULT, "ValueError: substring not found")
