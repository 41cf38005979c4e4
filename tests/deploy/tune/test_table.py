"""`python -m condmix.deploy.tune.table`: only what was measured and beyond the noise; newer replaces older."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from condmix.deploy.tune.table import entries_of, main, merged
from condmix.exporters.tune.form_table import Entry, read_table

MACHINE = {
    "architecture": "x86_64",
    "features": ["AVX2", "AVX-512F"],
    "model_names": ["A CPU"],
    "runtime": "onnxruntime 1.31.1",
}


def timed(name: str, ratio: float, reach: float = 0.02) -> dict[str, object]:
    return {"name": name, "ratio": ratio, "low": ratio - reach, "high": ratio + reach, "failure": None}


def block(what: str, *candidates: dict[str, object], noise_floor: float = 0.03) -> dict[str, object]:
    first = {"name": "grouped_conv + hoisted", "ratio": 1.0, "low": None, "high": None, "failure": None}
    return {
        "what": what,
        "candidates": [first, *candidates],
        "noise_floor": noise_floor,
        "median_ms": 0.5,
    }


def record(*blocks: dict[str, object], **changed: object) -> dict[str, Any]:
    return {"threads": 1, "batch": 1, "machine": MACHINE, "blocks": list(blocks), **changed}


def test_only_what_was_faster_beyond_the_noise_comes_in() -> None:
    sure, doubtful = timed("dense + merged", 0.9), timed("dense + merged", 0.98)
    empty = {"what": "c", "candidates": [], "noise_floor": None, "median_ms": None}
    found = list(entries_of(record(block("a", sure), block("b", doubtful), empty)))
    assert found == [
        Entry(
            target="x86_64 avx512",
            block="a",
            forms=("dense", "merged"),
            over=("grouped_conv", "hoisted"),
            ratio=0.9,
            low=0.88,
            high=0.92,
            noise_floor=0.03,
            runtime="onnxruntime 1.31.1",
            machine="A CPU",
        ),
        ("x86_64 avx512", "b"),
    ]
    assert list(entries_of(record(block("a", sure, noise_floor=0.2)))) == [("x86_64 avx512", "a")]
    for other in ({"threads": 2}, {"batch": None}, {"batch": 8}):
        assert list(entries_of(record(block("a", sure), **other))) == []


def test_records_that_disagree_leave_a_block_out_and_newer_ones_replace_it() -> None:
    (one,) = entries_of(record(block("a", timed("dense + merged", 0.9))))
    (same,) = entries_of(record(block("a", timed("dense + merged", 0.8))))
    (other,) = entries_of(record(block("a", timed("dense + hoisted", 0.8))))
    assert merged([], [one, same]) == (one,)
    assert merged([], [one, other]) == ()
    assert merged([one], [("x86_64 avx512", "a")]) == ()
    assert merged([one], [other]) == (other,)
    assert merged([one], [("x86_64 avx512", "b")]) == (one,)


def test_the_command_adds_to_a_table(tmp_path: Path) -> None:
    table = tmp_path / "table.json"
    for name, what in (("one", "a"), ("two", "b")):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({"tuning": record(block(what, timed("dense + merged", 0.9)))}))
        result = CliRunner().invoke(main, [str(path), "-o", str(table)])
        assert result.exit_code == 0, result.output
    assert [entry.block for entry in read_table(table.read_bytes(), "table")] == ["a", "b"]
    result = CliRunner().invoke(main, [str(tmp_path / "two.json"), "-o", str(table), "--anew"])
    assert result.output == f"{table}: 1 entries\n"


def test_a_record_without_tuning_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plain.json"
    path.write_text("{}")
    result = CliRunner().invoke(main, [str(path), "-o", str(tmp_path / "table.json")])
    assert result.exit_code == 3
    assert "it is not the record of an export with --tune" in result.output
    assert not (tmp_path / "table.json").exists()
