"""Pads at any size: as an attribute, or computed; each exact at sizes that nobody looked at."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from condmix.exporters.errors import NotExportableError
from condmix.exporters.sizes.same_padding import SameRule
from tests.exporters.sizes.sized import Draw, assert_same_everywhere, freed, graph, node, operators

RNG = np.random.default_rng(1)


def weight(kernel: int) -> np.ndarray:
    """Of a dense convolution of four channels."""
    return RNG.standard_normal((4, 4, kernel, kernel)).astype(np.float32) / kernel


def convolution(kernel: int, stride: int, dilation: int = 1, lower: bool = False, more: int = 0) -> Draw:
    """SAME written as numbers."""
    weights = weight(kernel)
    rule = SameRule(extent=(kernel - 1) * dilation + 1, stride=stride, lower=lower, more=(more, more))

    def draw(height: int, width: int) -> onnx.ModelProto:
        (top, bottom), (left, right) = rule.pads(height), rule.pads(width)
        attributes = {"strides": [stride] * 2, "dilations": [dilation] * 2, "pads": [top, left, bottom, right]}
        return graph([node("Conv", ["x", "w"], **attributes)], height, width, w=weights)

    return draw


@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (5, 2), (2, 2), (7, 3), (1, 2), (3, 4)])
@pytest.mark.parametrize("lower", [False, True])
def test_a_strided_same_convolution_pads_itself(kernel: int, stride: int, lower: bool) -> None:
    proto = assert_same_everywhere(convolution(kernel, stride, lower=lower))
    assert operators(proto) == ["Conv"]


def test_same_is_an_attribute_and_constant_pads_are_left_alone() -> None:
    (conv,) = freed(convolution(3, 2))[0].graph.node
    assert {item.name: item.s for item in conv.attribute if item.name in ("auto_pad", "pads")} == {
        "auto_pad": b"SAME_UPPER"
    }
    proto, steps = freed(convolution(3, 1))
    assert steps == ()
    assert [item.name for item in proto.graph.node[0].attribute if item.name == "auto_pad"] == []


@pytest.mark.parametrize(("dilation", "more"), [(2, 0), (3, 0), (1, 1)])
def test_what_auto_pad_does_not_say_is_computed(dilation: int, more: int) -> None:
    """ONNX Runtime refuses dilations beside auto_pad, and a constant on top is no SAME."""
    proto = assert_same_everywhere(convolution(3, 2, dilation, more=more))
    assert operators(proto)[-2:] == ["Pad", "Conv"]


@pytest.mark.parametrize("fill", [0.0, -np.inf])
def test_a_pad_of_its_own_is_computed_even_where_it_was_left_out(fill: float) -> None:
    """At even sizes nothing is added, and the exporter writes no Pad."""

    def draw(height: int, width: int) -> onnx.ModelProto:
        amounts = [0, 0, 0, 0, 0, 0, height % 2, width % 2]
        pool = {"kernel_shape": [2, 2], "strides": [2, 2]}
        if not any(amounts):
            return graph([node("Relu", ["x"], ["r"]), node("MaxPool", ["r"], **pool)], height, width)
        nodes = [
            node("Relu", ["x"], ["r"]),
            node("Pad", ["r", "amounts", "fill"], ["p"]),
            node("MaxPool", ["p"], **pool),
        ]
        return graph(nodes, height, width, amounts=amounts, fill=np.asarray(fill, np.float32))

    assert operators(assert_same_everywhere(draw)).count("Pad") == 1


def test_an_image_is_filled_up_to_a_multiple() -> None:
    def draw(height: int, width: int) -> onnx.ModelProto:
        amounts = [0, 0, 0, 0, 0, 0, -height % 8, -width % 8]
        return graph([node("Pad", ["x", "amounts"])], height, width, amounts=amounts)

    assert_same_everywhere(draw)


@pytest.mark.parametrize("only_width", [False, True])
def test_a_map_with_channels_last_is_padded(only_width: bool) -> None:
    rule = SameRule(extent=3, stride=2)

    def draw(height: int, width: int) -> onnx.ModelProto:
        (top, bottom), (left, right) = rule.pads(height), rule.pads(width)
        amounts = [0, 0, left, 0, 0, 0, right, 0] if only_width else [0, top, left, 0, 0, bottom, right, 0]
        nodes = [node("Transpose", ["x"], ["t"], perm=[0, 2, 3, 1]), node("Pad", ["t", "amounts"])]
        return graph(nodes, height, width, amounts=amounts)

    assert_same_everywhere(draw)


def test_pads_of_axes_apart_are_refused() -> None:
    def draw(height: int, width: int) -> onnx.ModelProto:
        return graph([node("Pad", ["x", "amounts"])], height, width, amounts=[0, 1, 0, width % 2, 0, 0, 0, 0])

    with pytest.raises(NotExportableError, match="are not those of two neighbouring axes"):
        freed(draw)


@pytest.mark.parametrize("op_type", ["MaxPool", "AveragePool"])
def test_a_pooling_pads_itself(op_type: str) -> None:
    rule = SameRule(extent=3, stride=2)

    def draw(height: int, width: int) -> onnx.ModelProto:
        (top, bottom), (left, right) = rule.pads(height), rule.pads(width)
        attributes = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [top, left, bottom, right]}
        return graph([node(op_type, ["x"], **attributes)], height, width)

    assert operators(assert_same_everywhere(draw)) == [op_type]


def test_pads_without_a_rule_are_refused_by_name() -> None:
    weights = weight(3)

    def draw(height: int, width: int) -> onnx.ModelProto:
        pads = {12: 1, 13: 3, 20: 2}[height]
        return graph([node("Conv", ["x", "w"], pads=[pads] * 4)], height, width, w=weights)

    with pytest.raises(NotExportableError) as caught:
        freed(draw)
    shown = "[1, 1, 1, 1], [3, 3, 3, 3], [2, 2, 2, 2]"
    assert str(caught.value) == (
        "height and width cannot be left open; leave --dynamic-size out, or change these places:\n"
        f"  - network: Conv 'y': no rule gives its pads {shown} from the size of its input"
    )
