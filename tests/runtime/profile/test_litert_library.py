"""The C interface of LiteRT's library."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from condmix.runtime.profile import litert_library
from condmix.runtime.profile.litert_library import (
    Library,
    LibraryFailedError,
    ProfiledModel,
    library_path,
    main,
    profile,
)
from tests.runtime.profile.nets import condconv_tflite

IMAGE = np.random.default_rng(1).random((1, 8, 8, 16), dtype=np.float32)


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    place = tmp_path / "inputs.npz"
    np.savez(place, **{"0": IMAGE})
    return place


def test_the_installed_library_is_found(monkeypatch: pytest.MonkeyPatch):
    assert library_path().is_file()
    monkeypatch.setattr(litert_library, "PACKAGE", "json")
    with pytest.raises(LibraryFailedError, match="brings no libLiteRt"):
        library_path()


def test_a_function_that_is_not_there_or_refuses_is_named():
    library = Library(library_path())
    with pytest.raises(LibraryFailedError, match="the library has no LiteRtNoSuchFunction"):
        library.call("LiteRtNoSuchFunction")
    with pytest.raises(LibraryFailedError, match=r"LiteRtGetNumProfilerEvents failed with status \d+"):
        library.number("LiteRtGetNumProfilerEvents", None)


def test_a_library_that_does_not_load_is_named(tmp_path: Path):
    (tmp_path / "libLiteRt.so").write_bytes(b"nothing")
    with pytest.raises(LibraryFailedError, match=r"libLiteRt\.so does not load"):
        Library(tmp_path / "libLiteRt.so")


def test_the_answer_stands_in_a_file_even_when_there_is_none(tmp_path: Path, inputs: Path):
    answer, model = tmp_path / "answer.json", tmp_path / "net.tflite"
    main([str(tmp_path / "missing.tflite"), str(inputs), "1", "1", str(answer)])
    assert "LiteRtCreateModelFromFile failed" in json.loads(answer.read_text())["error"]
    model.write_bytes(condconv_tflite())
    main([str(model), str(inputs), "1", "2", str(answer)])
    found = json.loads(answer.read_text())
    assert ["Invoke", 1, 0] in found["events"]
    assert np.array(found["elapsed_us"]).shape == (2, len(found["events"]))


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([[("A", 2, 0, 5)], [("B", 2, 0, 5)]], "two calls of the same file have different events"),
    ],
)
def test_calls_that_do_not_agree_are_no_profile(calls, expected: str, tmp_path, inputs, monkeypatch):
    model = tmp_path / "net.tflite"
    model.write_bytes(condconv_tflite())
    left = iter(calls)
    monkeypatch.setattr(ProfiledModel, "profiled_run", lambda _: next(left))
    with pytest.raises(LibraryFailedError, match=expected):
        profile(model, inputs, threads=1, runs=2)


def test_events_of_an_unknown_kind_are_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    model = tmp_path / "net.tflite"
    model.write_bytes(condconv_tflite())
    opened = ProfiledModel(Library(library_path()), model, threads=1, feeds={0: IMAGE})
    monkeypatch.setattr(litert_library, "KNOWN_EVENTS", (2, 8))
    with pytest.raises(LibraryFailedError, match="in a way that is not known here"):
        opened.profiled_run()


def test_a_call_that_fills_the_store_of_events_is_no_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    model = tmp_path / "net.tflite"
    model.write_bytes(condconv_tflite())
    opened = ProfiledModel(Library(library_path()), model, threads=1, feeds={0: IMAGE})
    opened.run()  # the first call allocates, which is an event too
    count = len(opened.profiled_run())
    monkeypatch.setattr(litert_library, "MOST_EVENTS", count)
    with pytest.raises(LibraryFailedError, match=f"keeps {count} events of a call and drops the rest"):
        opened.profiled_run()
