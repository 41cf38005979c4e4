"""Measurements are kept at once, shared as a file, and made again where the file is damaged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from condmix.deploy.tune.cache import TuneCache, cache_key, default_cache
from condmix.exporters.tune.measured import Timed, TimedRun

RUN = TimedRun(
    candidates=(
        Timed(name="a", ratio=1.0, low=None, high=None),
        Timed(name="b", ratio=0.9, low=0.88, high=0.92),
        Timed(name="c", ratio=None, low=None, high=None, failure="killed"),
    ),
    noise_floor=0.01,
    median_ms=2.5,
)
FACTS = {"signature": "abc", "machine": {"features": ["AVX2"], "runtime": "onnxruntime 1.31.1"}, "batch": 1}


def test_what_was_measured_is_there_next_time(tmp_path: Path) -> None:
    path = tmp_path / "new" / "cache.json"
    cache = TuneCache(path)
    assert cache.get("k") is None
    cache.put("k", RUN)
    assert TuneCache(path).get("k") == cache.get("k") == RUN
    assert cache.notes == []


def test_two_at_once_keep_each_others_measurements(tmp_path: Path) -> None:
    one, two = TuneCache(tmp_path / "c.json"), TuneCache(tmp_path / "c.json")
    one.put("a", RUN)
    two.put("b", RUN)
    again = TuneCache(tmp_path / "c.json")
    assert again.get("a") == again.get("b") == RUN


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b'{"kind": "condmix-tune-cache", "schema_version": 9, "runs": {}}', b"\xff\xfe", b"null"]
)
def test_a_damaged_file_is_replaced_and_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "c.json"
    path.write_bytes(content)
    cache = TuneCache(path)
    assert cache.get("k") is None
    assert len(cache.notes) == 1
    assert cache.notes[0].startswith(f"{path}: cannot be read, everything is measured again: ")
    cache.put("k", RUN)
    assert TuneCache(path).notes == []


def test_a_damaged_measurement_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    TuneCache(path).put("good", RUN)
    data = json.loads(path.read_text())
    data["runs"]["bad"] = {"candidates": []}
    path.write_text(json.dumps(data))
    cache = TuneCache(path)
    assert cache.get("bad") is None
    assert cache.get("bad") is None
    assert cache.get("good") == RUN
    assert len(cache.notes) == 1
    assert "a damaged measurement is made again" in cache.notes[0]


def test_a_place_that_takes_no_file_costs_the_cache_and_not_the_tuning(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = TuneCache(tmp_path / "file" / "c.json")
    cache.put("k", RUN)
    assert cache.get("k") == RUN
    assert any(note.startswith("measurements are not kept: ") for note in cache.notes)


@pytest.mark.parametrize(
    "other",
    [
        {"signature": "abd"},
        {"batch": 2},
        {"machine": {"features": ["AVX2"], "runtime": "onnxruntime 1.32.0"}},
        {"machine": {"features": [], "runtime": "onnxruntime 1.31.1"}},
    ],
)
def test_a_key_is_of_all_facts(other: dict[str, object]) -> None:
    assert cache_key(FACTS) == cache_key(dict(reversed(FACTS.items())))
    assert cache_key(FACTS) != cache_key({**FACTS, **other})


def test_where_it_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "condmix" / "tune" / "measurements.json"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_cache() == tmp_path / "home" / ".cache" / "condmix" / "tune" / "measurements.json"
