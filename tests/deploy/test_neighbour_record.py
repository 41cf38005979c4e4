"""The record beside a file: that of these very bytes, or none."""

from __future__ import annotations

import json
from pathlib import Path

from condmix.deploy.neighbour_record import record_of


def _record(path: Path, *hashes: str) -> None:
    entries = [{"artifact": {"sha256": sha256}, "passed": True} for sha256 in hashes]
    path.write_text(json.dumps({"schema_version": 2, "artifacts": entries}))


def test_the_entry_of_the_file_among_several(tmp_path: Path) -> None:
    _record(tmp_path / "net.condmix.json", "of onnx", "of tflite")
    entry, notes = record_of(tmp_path / "net.tflite", "of tflite")
    assert entry == {"artifact": {"sha256": "of tflite"}, "passed": True}
    assert notes == ()


def test_a_record_shared_with_another_format_is_found_behind_one_of_another_file(tmp_path: Path) -> None:
    _record(tmp_path / "net_float16.condmix.json", "another")
    _record(tmp_path / "net.condmix.json", "mine")
    entry, notes = record_of(tmp_path / "net_float16.tflite", "mine")
    assert entry is not None
    assert notes == ()


def test_every_record_that_does_not_fit_is_told(tmp_path: Path) -> None:
    _record(tmp_path / "net_float16.condmix.json", "another")
    (tmp_path / "net.condmix.json").write_text("{")
    entry, notes = record_of(tmp_path / "net_float16.tflite", "mine")
    assert entry is None
    assert "net_float16.condmix.json, is of another file (sha256 differs)" in notes[0]
    assert "net.condmix.json, cannot be read" in notes[1]


def test_without_any_its_name_is_told(tmp_path: Path) -> None:
    note = "there is no record beside it (net.condmix.json): layers are not known"
    assert record_of(tmp_path / "net.tflite", "mine") == (None, (note,))
