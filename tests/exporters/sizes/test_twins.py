"""The same network at several sizes is the same graph, or is refused with the place where it is not."""

from __future__ import annotations

import onnx
import onnx_ir as ir
import pytest

from condmix.exporters.errors import NotExportableError
from condmix.exporters.sizes.twins import Twins, align
from tests.exporters.sizes.sized import SIZES, Draw, graph, node


def twins(draw: Draw) -> Twins:
    return align([ir.from_proto(draw(*sides)) for sides in SIZES], SIZES)


def pooled(height: int, width: int) -> onnx.ModelProto:
    nodes = [
        node("MaxPool", ["x"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Resize", ["p", "", "", "to"], ["r"]),
        node("Add", ["r", "x"]),
    ]
    return graph(nodes, height, width, to=[1, 4, height, width])


def test_nodes_stand_beside_each_other_with_what_differs() -> None:
    found = twins(pooled)
    assert [site.node.op_type for site in found.sites] == ["MaxPool", "Resize", "Add"]
    pool, resize, add = found.sites
    assert (pool.differing_constants, resize.differing_constants, add.differing_constants) == ((), (3,), ())
    assert pool.differing_attributes == ()
    assert resize.integers(3) == ((1, 4, 12, 12), (1, 4, 13, 31), (1, 4, 20, 26))
    assert resize.integers(2) is None
    assert pool.output_shapes() == ((1, 4, 6, 6), (1, 4, 6, 15), (1, 4, 10, 13))
    assert [value.name for value in found.earlier(add.node)] == ["x", "r", "p"]


def test_an_attribute_that_is_left_out_is_its_default() -> None:
    def draw(height: int, width: int) -> onnx.ModelProto:
        said = {"auto_pad": "NOTSET", "pads": [0] * 4, "strides": [1, 1], "ceil_mode": 0} if height < 20 else {}
        return graph([node("MaxPool", ["x"], kernel_shape=[2, 2], **said)], height, width)

    (pool,) = twins(draw).sites
    assert pool.differing_attributes == ()


def test_another_operator_at_another_size_is_named_with_both() -> None:
    def draw(height: int, width: int) -> onnx.ModelProto:
        return graph([node("Relu" if height < 20 else "Neg", ["x"], ["a"]), node("Abs", ["a"])], height, width)

    with pytest.raises(NotExportableError) as caught:
        twins(draw)
    assert str(caught.value) == (
        "the network computes different things at different heights and widths; leave --dynamic-size out:\n"
        "  - network: 'a' is a result of Relu at 12x12, and a result of Neg at 20x26"
    )


def test_what_is_a_constant_at_one_size_only_is_named() -> None:
    def draw(height: int, width: int) -> onnx.ModelProto:
        nodes = [node("Relu", ["x"], ["a"]), node("Shape", ["x"], ["s"], start=2), node("Resize", ["a", "", "", "to"])]
        nodes = nodes if height < 20 else [node("Resize", ["x", "", "", "to"])]
        return graph(nodes, height, width, to=[1, 4, 4, 4])

    with pytest.raises(NotExportableError, match="'a' is a result of Relu at 12x12, and an input at 20x26"):
        twins(draw)


def test_other_readers_at_another_size_are_named() -> None:
    def draw(height: int, width: int) -> onnx.ModelProto:
        nodes = [node("Relu", ["x"], ["a"]), node("Relu", ["x"], ["b"])]
        return graph([*nodes, node("Add", ["a", "a" if height < 20 else "b"])], height, width)

    with pytest.raises(NotExportableError, match="'a' is read by others at 12x12"):
        twins(draw)
