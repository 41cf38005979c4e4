"""Names are free, equal small constants are stored once, scalars stay scalars."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

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


def test_channels_have_a_scale_each_and_no_zero_point() -> None:
    writer = GraphWriter([])
    stored = writer.constant(np.ones((2, 3), np.int8), "w")
    writer.dequantize_channels(stored, np.asarray([1, 2, 3], np.float32), 1, value("real"))
    (node,) = writer.nodes
    assert node.attributes["axis"].as_int() == 1
    zero = node.inputs[2]
    assert zero is not None
    assert zero.const_value is not None
    assert zero.const_value.numpy().tolist() == [0, 0, 0]
    assert zero.dtype == ir.DataType.INT8


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
