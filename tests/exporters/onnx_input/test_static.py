"""Shapes that depend on numbers, and sizes beyond all memory."""

from __future__ import annotations

from pathlib import Path

from onnx import TensorProto

from tests.exporters.onnx_input.reading import problems
from tests.exporters.onnx_input.sketches import Sketch


def test_a_shape_that_depends_on_the_image_is_refused(tmp_path: Path) -> None:
    s = Sketch(5)
    s.node("NonZero", ["x"], "places")
    s.node("Cast", ["places"], "y", to=TensorProto.FLOAT)
    found = problems(s.model({"x": [1, 3, 4, 4]}, {"y": ["rank", "found"]}), tmp_path)
    assert list(found) == ["ONNX_DYNAMIC"]


def test_values_beyond_all_memory_are_never_computed(tmp_path: Path) -> None:
    s = Sketch(5)
    s.ints("huge", 1, 3, 100_000, 100_000)
    s.node("Expand", ["x", "huge"], "y")
    found = problems(s.model({"x": [1, 3, 1, 1]}, {"y": [1, 3, 100_000, 100_000]}), tmp_path)
    assert found["ONNX_TOO_LARGE"].startswith("its value 'y' would hold 30000000000 numbers")
    s = Sketch(5)
    s.node("Relu", ["x"], "y")
    shape: list[int | str] = [1, 3, 60_000, 60_000]
    assert "too large to be run" in problems(s.model({"x": shape}, {"y": shape}), tmp_path)["ONNX_TOO_LARGE"]
