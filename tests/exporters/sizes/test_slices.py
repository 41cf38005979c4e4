"""Slice at any size: taps of kernels, crops, patches."""

from __future__ import annotations

import onnx
import pytest

from condmix.exporters.errors import NotExportableError
from tests.exporters.sizes.sized import assert_same_everywhere, freed, graph, node, operators


@pytest.mark.parametrize(("start", "margin", "step"), [(1, 0, 1), (0, 1, 1), (0, 0, 2), (1, 1, 2), (2, 0, 3)])
def test_ends_are_counted_from_the_back(start: int, margin: int, step: int) -> None:
    def draw(height: int, width: int) -> onnx.ModelProto:
        ends = [height - margin, width - margin]
        slicing = node("Slice", ["x", "starts", "ends", "axes", "steps"])
        return graph([slicing], height, width, starts=[start] * 2, ends=ends, axes=[2, 3], steps=[step] * 2)

    assert operators(assert_same_everywhere(draw)) == ["Slice"]


@pytest.mark.parametrize("tap", [0, 1, 2])
def test_the_taps_of_a_strided_kernel(tap: int) -> None:
    """What is left over at odd lengths is cut off: the number of positions decides, not the last one."""

    def draw(height: int, width: int) -> onnx.ModelProto:
        ends = [tap + ((side - 3) // 2) * 2 + 1 for side in (height, width)]
        slicing = node("Slice", ["x", "starts", "ends", "axes", "steps"])
        return graph([slicing], height, width, starts=[tap] * 2, ends=ends, axes=[2, 3], steps=[2, 2])

    assert operators(assert_same_everywhere(draw)) == ["Slice"]


def test_a_map_is_cropped_to_another() -> None:
    def draw(height: int, width: int) -> onnx.ModelProto:
        nodes = [
            node("Slice", ["x", "zeros", "half", "axes"], ["c"]),
            node("MaxPool", ["x"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
            node("Add", ["c", "p"]),
        ]
        return graph(nodes, height, width, zeros=[0, 0], half=[height // 2, width // 2], axes=[2, 3])

    assert "Shape" in operators(assert_same_everywhere(draw))


def test_an_end_without_a_rule_is_refused_by_name() -> None:
    def draw(height: int, width: int) -> onnx.ModelProto:
        end = {12: 5, 13: 11, 20: 6}[height]
        return graph([node("Slice", ["x", "s", "e", "a"])], height, width, s=[0], e=[end], a=[2])

    with pytest.raises(NotExportableError, match=r"no rule gives what it cuts of axis 2 \(0:5, 0:11, 0:6\)"):
        freed(draw)
