"""Reshape, Expand and Resize at any size."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from condmix.exporters.errors import NotExportableError
from tests.exporters.sizes.sized import CHANNELS, assert_same_everywhere, freed, graph, node, operators

NO_ROI = np.zeros(0, np.float32)


def test_positions_are_inferred_and_lengths_come_back_from_another_map() -> None:
    def draw(height: int, width: int) -> onnx.ModelProto:
        nodes = [
            node("Reshape", ["x", "flat"], ["f"]),
            node("Softmax", ["f"], ["s"], axis=-1),
            node("Reshape", ["s", "image"]),
        ]
        positions = height * width
        return graph(
            nodes, height, width, flat=[1, CHANNELS, positions], image=[1, CHANNELS, height, width], outputs=("y", "s")
        )

    assert operators(assert_same_everywhere(draw)) == ["Reshape", "Softmax", "Shape", "Concat", "Reshape"]


def test_lengths_that_keep_their_place_are_copied() -> None:
    def draw(height: int, width: int) -> onnx.ModelProto:
        return graph([node("Reshape", ["x", "to"])], height, width, to=[2, 2, height, width], outputs=("y",))

    proto = assert_same_everywhere(draw)
    (target,) = proto.graph.initializer
    assert onnx.numpy_helper.to_array(target).tolist() == [2, 2, 0, 0]


def test_channels_are_shuffled_and_pixels_too() -> None:
    def draw(height: int, width: int) -> onnx.ModelProto:
        nodes = [
            node("Reshape", ["x", "apart"], ["a"]),
            node("Transpose", ["a"], ["t"], perm=[0, 2, 1, 3, 4]),
            node("Reshape", ["t", "joined"], ["j"]),
            node("Reshape", ["j", "blocks"], ["b"]),
            node("Transpose", ["b"], ["u"], perm=[0, 3, 1, 4, 2]),
            node("Reshape", ["u", "grown"]),
        ]
        return graph(
            nodes,
            height,
            width,
            apart=[1, 2, 2, height, width],
            joined=[1, CHANNELS, height, width],
            blocks=[1, 2, 2, height, width],
            grown=[1, 2 * height, 2 * width],
        )

    assert_same_everywhere(draw)


def test_a_pooled_map_is_repeated_over_another() -> None:
    def draw(height: int, width: int) -> onnx.ModelProto:
        nodes = [
            node("GlobalAveragePool", ["x"], ["g"]),
            node("Expand", ["g", "to"], ["e"]),
            node("Concat", ["x", "e"], axis=1),
        ]
        return graph(nodes, height, width, to=[1, CHANNELS, height, width])

    assert_same_everywhere(draw)


def test_whole_factors_are_factors_and_other_sizes_those_of_a_map() -> None:
    def draw(height: int, width: int) -> onnx.ModelProto:
        nodes = [
            node("MaxPool", ["x"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
            node("Resize", ["p", "", "", "double"], ["d"], mode="nearest"),
            node("Resize", ["p", "", "", "own"], ["o"], mode="linear"),
            node("Add", ["o", "x"]),
        ]
        half = [height // 2, width // 2]
        return graph(
            nodes,
            height,
            width,
            double=[1, CHANNELS, 2 * half[0], 2 * half[1]],
            own=[1, CHANNELS, height, width],
            outputs=("y", "d"),
        )

    proto = assert_same_everywhere(draw)
    double = next(one for one in proto.graph.node if one.op_type == "Resize")
    assert [bool(name) for name in double.input] == [True, False, True]


def test_a_share_of_the_image_is_computed() -> None:
    """ONNX says that a size of 1.5 times is rounded down."""

    def draw(height: int, width: int) -> onnx.ModelProto:
        sizes = [1, CHANNELS, 3 * height // 2, 3 * width // 2]
        return graph([node("Resize", ["x", "", "", "sizes"], mode="nearest")], height, width, sizes=sizes)

    assert "Mul" in operators(assert_same_everywhere(draw))


def test_numbers_without_a_rule_are_refused_by_name() -> None:
    def reshaped(height: int, width: int) -> onnx.ModelProto:
        lengths = {12: (4, 36), 13: (31, 13), 20: (10, 52)}[height]
        return graph([node("Reshape", ["x", "to"])], height, width, to=[1, 2, 2, *lengths])

    def resized(height: int, width: int) -> onnx.ModelProto:
        return graph([node("Resize", ["x", "", "", "to"])], height, width, to=[1, 4, height**2 % 19 + 3, 5])

    with pytest.raises(NotExportableError, match=r"Reshape 'y': no rule gives its target \[1, 2, 2, 4, 36\], "):
        freed(reshaped)
    with pytest.raises(NotExportableError, match=r"Resize 'y': no rule gives its result \[1, 4, 14, 5\], "):
        freed(resized)
