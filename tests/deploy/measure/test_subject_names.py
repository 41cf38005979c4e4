"""Names are short, and never the same for two files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.deploy.measure.subject_names import file_names, subject_name


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["a.onnx"], ["a"]),
        (["out/a.onnx", "out/a_int8.onnx"], ["a", "a_int8"]),
        (["a.onnx", "a.tflite", "b.onnx"], ["a.onnx", "a.tflite", "b"]),
        (["x/a.onnx", "y/a.onnx"], ["x/a.onnx", "y/a.onnx"]),
        (["p/x/a.onnx", "q/x/a.onnx"], ["p/x/a.onnx", "q/x/a.onnx"]),
        (["x/a.onnx", "a.tflite", "a.onnx.onnx"], ["x/a.onnx", "a.tflite", "a.onnx"]),
    ],
)
def test_only_as_much_as_tells_it_from_the_others(files: list[str], names: list[str]) -> None:
    assert file_names([Path(file) for file in files]) == tuple(names)


_FOLDERS = st.sampled_from(["", "a/", "b/", "a/a/", "a/b/", "b/a/"])
_NAMES = st.sampled_from(
    [f"{stem}{end}" for stem in "ab" for end in (".onnx", ".tflite", ".onnx.onnx", ".onnx.tflite")]
)


@given(st.lists(st.builds("{}{}".format, _FOLDERS, _NAMES), unique=True, max_size=6))
def test_different_paths_have_different_names(files: list[str]) -> None:
    names = file_names([Path(file) for file in files])
    assert len(set(names)) == len(files)


@pytest.mark.parametrize(
    ("threads", "batch", "name"), [(None, None, "a"), (2, None, "a@2t"), (None, 4, "a@b4"), (2, 4, "a@b4@2t")]
)
def test_the_way_of_running_is_said_where_it_differs(threads: int | None, batch: int | None, name: str) -> None:
    assert subject_name("a", threads=threads, batch=batch) == name
