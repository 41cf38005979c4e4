"""Readers stand damaged files: refused by a named error, or read; within limits of time and memory; nothing written."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.fuzz import run
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

_GREEDY = """
import contextlib, sys
from tests.fuzz import child
from tests.fuzz.readers import Reader
child.SECONDS, child.MEMORY_BYTES = 0.2, 1 << 26
inputs = []
def read(path):
    if path.name == "sound.txt":
        return
    inputs.append(path)
    if len(inputs) == 2:
        with contextlib.suppress(Exception):
            while True:
                pass
    if len(inputs) == 3:
        bytearray(1 << 27)
child.reader_named = lambda name: Reader(name=name, suffix=".txt", sample=lambda folder: bytes(64), read=read)
child.main(sys.argv[1:])
"""
"""A child whose reader computes without end at its second input and takes too much memory at its third."""


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


def test_time_and_memory_beyond_the_bounds_are_faults() -> None:
    """Also of a reader that takes every Exception for the file's; the inputs behind them are read."""
    tally = fuzz("greedy", first=0, inputs=5, command=[sys.executable, "-c", _GREEDY])
    assert [(fault.seed, fault.what) for fault in tally.faults] == [
        (1, "no answer within 0.2 s of CPU time"),
        (2, "MemoryError: "),
    ]
    assert (tally.inputs, tally.accepted) == (5, 3)
    assert 0.2 <= tally.slowest_seconds < 2


def test_what_sleeps_is_ended_by_the_clock_of_the_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "SECONDS_BEYOND", 0)
    sleeping = "import pathlib, sys, time; (pathlib.Path(sys.argv[4]) / 'at').write_text('7'); time.sleep(600)"
    tally = fuzz("sleeps", first=7, inputs=1, command=[sys.executable, "-c", sleeping])
    assert [(fault.seed, fault.what) for fault in tally.faults] == [(7, "hung for 2 s")]


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
