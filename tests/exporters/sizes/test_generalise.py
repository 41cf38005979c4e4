"""What differs between sizes is freed, the rest is left as it is; names of axes say which are free."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from condmix.exporters.errors import NotExportableError
from tests.exporters.sizes.sized import assert_same_everywhere, freed, graph, node, operators


def shapes(proto: onnx.ModelProto) -> dict[str, list[int | str]]:
    """Of inputs and outputs."""
    return {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*proto.graph.input, *proto.graph.output)
    }


def pooled(op_type: str, *, fraction: int = 1) -> onnx.ModelProto:
    def draw(height: int, width: int) -> onnx.ModelProto:
        kernel = [height // fraction, width // fraction]
        return graph([node(op_type, ["x"], kernel_shape=kernel, strides=kernel)], height, width)

    return freed(draw)[0]


@pytest.mark.parametrize("op_type", ["AveragePool", "MaxPool"])
def test_a_window_as_large_as_the_map_becomes_a_global_pooling(op_type: str) -> None:
    assert operators(pooled(op_type)) == [f"Global{op_type}"]


def test_a_window_of_a_share_of_the_map_is_refused() -> None:
    text = (
        "AveragePool 'y': its kernel_shape and strides depend on the size of the image, and no operator computes them"
    )
    with pytest.raises(NotExportableError, match=text):
        pooled("AveragePool", fraction=2)


def test_a_grid_of_one_size_is_refused_with_its_name() -> None:
    def draw(height: int, width: int) -> onnx.ModelProto:
        grid = np.ones((1, 1, height, width), np.float32)
        return graph([node("Add", ["x", "grid"])], height, width, grid=grid)

    with pytest.raises(NotExportableError, match="Add 'y': its constant 'grid' depends on the size of the image"):
        freed(draw)


def test_all_places_are_named_at_once() -> None:
    def draw(height: int, width: int) -> onnx.ModelProto:
        grid = np.ones((1, 1, height, width), np.float32)
        nodes = [node("Add", ["x", "grid"], ["a"]), node("Mul", ["a", "grid"])]
        return graph(nodes, height, width, grid=grid)

    with pytest.raises(NotExportableError) as caught:
        freed(draw)
    assert [problem.split(":")[1].strip() for problem in caught.value.problems] == ["Add 'a'", "Mul 'y'"]


def test_free_axes_are_named_after_the_image_or_their_output() -> None:
    def draw(height: int, width: int) -> onnx.ModelProto:
        nodes = [
            node("Relu", ["x"], ["same"]),
            node("MaxPool", ["x"], ["half"], kernel_shape=[2, 2], strides=[2, 2]),
            node("Flatten", ["half"], ["row"], axis=2),
        ]
        return graph(nodes, height, width, outputs=("same", "half", "row"))

    proto, steps = freed(draw)
    assert steps == ()
    assert shapes(proto) == {
        "x": [1, 4, "height", "width"],
        "same": [1, 4, "height", "width"],
        "half": [1, 4, "half_height", "half_width"],
        "row": [4, "row_axis1"],
    }


def test_a_free_batch_stays_free() -> None:
    def draw(height: int, width: int) -> onnx.ModelProto:
        nodes = [node("Reshape", ["x", "to"], ["r"]), node("Reshape", ["r", "back"])]
        return graph(nodes, height, width, batch="batch", to=[-1, 4, height * width], back=[-1, 4, height, width])

    # What a reshape infers has no name in the shapes that inference finds.
    def named(height: int, width: int) -> onnx.ModelProto:
        proto = draw(height, width)
        for value in (*proto.graph.value_info, *proto.graph.output):
            value.type.tensor_type.shape.dim[0].dim_param = "batch"
        return proto

    proto = assert_same_everywhere(named)
    assert shapes(proto) == {"x": ["batch", 4, "height", "width"], "y": ["batch", 4, "height", "width"]}


def test_a_step_is_told_for_each_node_that_changed() -> None:
    def draw(height: int, width: int) -> onnx.ModelProto:
        return graph([node("Reshape", ["x", "to"])], height, width, to=[1, 2, 2, height, width])

    (step,) = freed(draw)[1]
    assert (step.rule, step.applied, step.note) == ("free_size", True, "Reshape")
