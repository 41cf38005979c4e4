"""Which input is the batch of images, and what of its shape has to be said."""

from __future__ import annotations

from pathlib import Path

from onnx import TensorProto

from condmix.exporters.onnx_input.shapes import ImageInput, image_input
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
    none = Sketch(5)
    none.weights("stored", 1, 3)
    none.node("Identity", ["stored"], "y")
    assert problems(none.model({}, {"y": [1, 3]}), tmp_path)["ONNX_INPUTS"].startswith("it has no inputs")
    shape: list[int | str] = [1, 3, 4, 4]
    cast = Sketch(5)
    cast.node("Cast", ["x"], "y", to=TensorProto.FLOAT)
    found = problems(cast.model({"x": shape}, {"y": shape}, element=TensorProto.UINT8), tmp_path)
    assert found["ONNX_INPUT_TYPE"].startswith("its input 'x' is uint8")


def test_inputs_beside_the_image_are_told_by_name() -> None:
    two = Sketch(5)
    two.node("Mul", ["x", "scale"], "y")
    model = two.model({"scale": ["n", 3, 1, 1], "context": ["n", 7], "x": ["n", 3, 4, 4]}, {"y": ["n", 3, 4, 4]})
    taken = image_input(model.graph, None)
    assert isinstance(taken, ImageInput)
    # The first input of four axes is the image.
    assert (taken.name, taken.size, taken.images) == ("scale", (3, 1, 1), None)
    assert taken.more == {"context": (7,), "x": (3, 4, 4)}


def test_everything_wrong_with_further_inputs_is_told(tmp_path: Path) -> None:
    s = Sketch(5)
    s.node("Identity", ["x"], "y")
    shapes: dict[str, list[int | str]] = {
        "x": [2, 3, 4, 4], "a": [3], "b": [1, 5], "c": [2, "open"], "d": [2, 1 << 20, 1 << 10]
    }  # fmt: skip
    model = s.model(shapes, {"y": [2, 3, 4, 4]})
    found = image_input(model.graph, None)
    assert isinstance(found, list)
    assert [code for code, _ in found] == ["ONNX_INPUTS", "ONNX_INPUTS", "ONNX_INPUT_SIZE", "ONNX_TOO_LARGE"]
    texts = [text for _, text in found]
    assert "its input 'a' has shape [3]: expected an axis of images and one more" in texts[0]
    assert "the first axis of its input 'b' is '1': expected 2, as many as images" in texts[1]
    assert "its input 'c' leaves axes open (open)" in texts[2]
    assert "its input 'd' of 1048576x1024 numbers" in texts[3]
    model.graph.input[1].type.tensor_type.elem_type = TensorProto.INT64
    assert problems(model, tmp_path)["ONNX_INPUT_TYPE"].startswith("its input 'a' is int64: expected float32")
