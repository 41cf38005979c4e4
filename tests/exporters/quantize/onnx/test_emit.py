"""Names are free, equal small constants are stored once, scalars stay scalars."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from condmix.exporters.graph.facts import MODULE_KEY
from condmix.exporters.quantize.onnx.emit import GraphWriter, integer_type
from condmix.exporters.quantize.parameters import INT8, UINT7, UINT8, Affine

AFFINE = Affine(scale=0.5, zero_point=3, grid=UINT8)


def value(name: str) -> ir.Value:
    return ir.Value(name=name, type=ir.TensorType(ir.DataType.FLOAT))


def test_names_are_free() -> None:
    writer = GraphWriter(["taken"])
    assert [writer.unique(name) for name in ("taken", "free", "free")] == ["taken_2", "free", "free_2"]
    assert writer.value("taken", ir.DataType.FLOAT, reserved=True).name == "taken"


def test_a_scalar_stays_one() -> None:
    """Operators of ONNX Runtime refuse a scale of one element with an axis."""
    assert GraphWriter([]).constant(np.asarray(0.5, np.float32), "scale").shape == ir.Shape([])


def test_equal_constants_are_shared() -> None:
    writer = GraphWriter([])
    first, second = writer.shared(np.zeros(3, np.int8), "a"), writer.shared(np.zeros(3, np.int8), "b")
    assert first is second
    assert writer.shared(np.zeros(3, np.int32), "c") is not first
    assert writer.shared(np.zeros((3, 1), np.int8), "d") is not first
    assert [item.name for item in writer.initializers] == ["a", "c", "d"]


def test_there_and_back() -> None:
    writer = GraphWriter([])
    integers = writer.quantize(value("x"), AFFINE, "x")
    writer.dequantize(integers, AFFINE, writer.value("again", ir.DataType.FLOAT))
    assert [node.op_type for node in writer.nodes] == ["QuantizeLinear", "DequantizeLinear"]
    assert (integers.name, integers.dtype) == ("x/q", ir.DataType.UINT8)
    # Both read the same scale and zero point.
    assert writer.nodes[0].inputs[1:] == writer.nodes[1].inputs[1:]


@pytest.mark.parametrize("with_zeros", [False, True])
def test_channels_have_a_scale_each_and_zero_points_where_they_are_wanted(with_zeros: bool) -> None:
    writer = GraphWriter([])
    stored = writer.constant(np.ones((2, 3), np.int8), "w")
    scale = writer.constant(np.asarray([1, 2, 3], np.float32), "s")
    writer.dequantize_channels(stored, scale, 1, value("real"), with_zeros=with_zeros)
    (node,) = writer.nodes
    assert node.attributes["axis"].as_int() == 1
    assert node.inputs[:2] == (stored, scale)
    if not with_zeros:
        assert len(node.inputs) == 2
        return
    zero = node.inputs[2]
    assert zero is not None
    assert zero.const_value is not None
    assert zero.const_value.numpy().tolist() == [0, 0, 0]
    assert zero.dtype == ir.DataType.INT8


def test_a_packed_constant_is_one_where_nothing_is_gained() -> None:
    writer = GraphWriter([])
    stored = writer.packed_constant(np.ones((4, 3, 3, 3), np.int8), "w")
    assert (writer.nodes, [item.name for item in writer.initializers]) == ([], ["w"])
    assert stored is writer.initializers[0]


def test_a_packed_constant_is_put_together_by_the_file() -> None:
    kernel = np.ones((96, 1, 5, 5), np.int8)
    kernel[:48, :, [0, 4]] = 0
    kernel[:48, :, :, [0, 4]] = 0
    writer = GraphWriter([])
    joined = writer.packed_constant(kernel, "w")
    assert [node.op_type for node in writer.nodes] == ["Pad", "Concat"]
    assert joined.name == "w"
    assert sum(item.const_value.nbytes for item in writer.initializers if item.const_value) < kernel.nbytes


def test_a_copy_keeps_operator_attributes_and_module() -> None:
    node = ir.node("Concat", [value("a"), value("b")], {"axis": 1}, metadata_props={MODULE_KEY: "m"})
    writer = GraphWriter([])
    writer.copy(node, [value("c")], [value("d")])
    (copy,) = writer.nodes
    assert (copy.op_type, copy.attributes["axis"].as_int(), copy.metadata_props[MODULE_KEY]) == ("Concat", 1, "m")
    assert [item.name for item in copy.outputs] == ["d"]


def test_a_name_can_be_taken_over() -> None:
    writer = GraphWriter(["y"])
    first = writer.node("Relu", [value("x")], writer.value("y", ir.DataType.FLOAT, reserved=True))
    second = writer.node("Relu", [first], writer.value("other", ir.DataType.FLOAT))
    writer.rename(second, "y")
    assert (second.name, first.name) == ("y", "y/real")


def test_how_grids_are_stored() -> None:
    types = [integer_type(Affine(scale=1.0, zero_point=0, grid=grid)) for grid in (UINT8, UINT7, INT8)]
    assert types == [ir.DataType.UINT8, ir.DataType.UINT8, ir.DataType.INT8]
