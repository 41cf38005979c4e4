"""A file with numbers for height and width is opened; any other is left as it was."""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper

from condmix.exporters.onnx_input.open_sides import with_open_sides


def file(*shape: int | str) -> onnx.ModelProto:
    made = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["r"]), helper.make_node("Abs", ["r"], ["y"])],
        "file",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        value_info=[helper.make_tensor_value_info("r", TensorProto.FLOAT, shape)],
    )
    return helper.make_model(made)


def dimensions(value: onnx.ValueInfoProto) -> list[int | str]:
    return [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]


def test_height_and_width_are_opened_and_the_files_own_are_the_default() -> None:
    original = file(1, 3, 24, 32)
    opened, size, notes = with_open_sides(original, None)
    assert dimensions(opened.graph.input[0]) == [1, 3, "height", "width"]
    assert dimensions(opened.graph.output[0]) == [0, 0, 0, 0]
    assert not opened.graph.value_info
    assert size == (3, 24, 32)
    assert notes == ("the file is for 24x32 alone: it was opened, and is the yardstick as it computes other sizes",)
    assert dimensions(original.graph.input[0]) == [1, 3, 24, 32]


def test_channels_may_come_last_and_another_size_may_be_asked_for() -> None:
    opened, size, _ = with_open_sides(file("n", 24, 32, 3), (None, 40, 48))
    assert dimensions(opened.graph.input[0]) == ["n", "height", "width", 3]
    assert size == (None, 40, 48)


def test_an_open_file_and_one_of_no_images_come_back_as_they_were() -> None:
    for original in (file(1, 3, "h", "w"), file(1, 16)):
        assert with_open_sides(original, (3, 8, 8)) == (original, (3, 8, 8), ())
