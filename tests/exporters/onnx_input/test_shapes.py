"""Which input is the batch of images, and what of its shape has to be said."""

from __future__ import annotations

from pathlib import Path

from onnx import TensorProto

from tests.exporters.onnx_input.reading import problems, read
from tests.exporters.onnx_input.sketches import Sketch


def test_open_sizes_need_to_be_given(tmp_path: Path) -> None:
    s = Sketch(5)
    s.weights("w", 6, 3, 3, 3)
    s.node("Conv", ["x", "w"], "y")
    model = s.model({"x": ["n", 3, "h", "w_"]}, {"y": ["n", 6, "h2", "w2"]})
    assert "leaves its height open ('h')" in str(problems(model, tmp_path)) or "width" in str(problems(model, tmp_path))
    assert read(model, tmp_path, (None, 12, 9)).input_size == (3, 12, 9)
    found = problems(model, tmp_path, (1, 12, 9))
    assert found["ONNX_INPUT_SIZE"].startswith("its input 'x' has channels 3, --input-size says 1")


def test_inputs_that_are_no_batch_of_images_are_refused(tmp_path: Path) -> None:
    s = Sketch(5)
    s.node("Relu", ["x"], "y")
    assert (
        "has shape [1, 8]: expected a batch of images"
        in problems(s.model({"x": [1, 8]}, {"y": [1, 8]}), tmp_path)["ONNX_INPUT_RANK"]
    )
    two = Sketch(5)
    two.node("Add", ["x", "z"], "y")
    shape: list[int | str] = [1, 3, 4, 4]
    assert problems(two.model({"x": shape, "z": shape}, {"y": shape}), tmp_path)["ONNX_INPUTS"].startswith(
        "it has 2 inputs ('x', 'z'): expected one batch of images"
    )
    cast = Sketch(5)
    cast.node("Cast", ["x"], "y", to=TensorProto.FLOAT)
    found = problems(cast.model({"x": shape}, {"y": shape}, element=TensorProto.UINT8), tmp_path)
    assert found["ONNX_INPUT_TYPE"].startswith("its input 'x' is uint8")
