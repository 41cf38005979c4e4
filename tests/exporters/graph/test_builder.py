"""New nodes carry their module path, new values their shape and type, constants their role."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import MODULE_KEY, constant, constant_ints, module_path


def image(*shape: int) -> ir.Value:
    return ir.Value(name="x", shape=ir.Shape(shape), type=ir.TensorType(ir.DataType.FLOAT))


def test_nodes_are_collected_in_order_with_names_of_their_path() -> None:
    builder = NodeBuilder("blocks.0.conv")
    first = builder.one("Relu", [image(1, 2)], (1, 2))
    second = builder.one("Neg", [first], (1, 2), role="turned")
    assert [node.op_type for node in builder.nodes] == ["Relu", "Neg"]
    assert [node.name for node in builder.nodes] == ["blocks.0.conv/Relu", "blocks.0.conv/turned"]
    assert (first.name, second.name) == ("blocks.0.conv/Relu", "blocks.0.conv/turned")
    assert all(module_path(node) == "blocks.0.conv" for node in builder.nodes)
    assert builder.nodes[0].metadata_props == {MODULE_KEY: "blocks.0.conv"}
    assert builder.nodes[1].inputs == (first,)


def test_the_network_itself_has_no_path_in_its_names() -> None:
    builder = NodeBuilder("")
    assert builder.one("Relu", [image(1)], (1,)).name == "Relu"
    assert builder.constant(np.zeros(1), "zero").name == "zero"


def test_several_outputs_are_numbered() -> None:
    builder = NodeBuilder("a")
    outputs = builder.node("Split", [image(1, 4)], [(1, 1), (1, 3)], attributes={"axis": 1, "num_outputs": 2})
    assert [value.name for value in outputs] == ["a/Split_0", "a/Split_1"]
    assert [value.shape for value in outputs] == [ir.Shape((1, 1)), ir.Shape((1, 3))]
    assert builder.nodes[0].attributes["axis"].as_int() == 1


def test_shapes_types_and_domains_are_kept() -> None:
    builder = NodeBuilder("a")
    value = builder.one("Own", [image(1)], ("batch", 3), domain="condmix", data_type=ir.DataType.INT64)
    assert value.shape == ir.Shape(("batch", 3))
    assert value.dtype == ir.DataType.INT64
    assert builder.nodes[0].domain == "condmix"


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.bool_])
def test_a_constant_keeps_its_numbers_and_type(dtype: type[np.generic]) -> None:
    builder = NodeBuilder("a.b")
    array = np.arange(6).reshape(2, 3).astype(dtype)
    value = builder.constant(array.T, "bank")
    assert value.name == "a.b/bank"
    assert value.shape == ir.Shape((3, 2))
    assert value.dtype == ir.DataType.from_numpy(np.dtype(dtype))
    stored = constant(value)
    assert stored is not None
    np.testing.assert_array_equal(stored, array.T)
    assert stored.flags.c_contiguous
    assert builder.constants == [value]


def test_integers_are_int64_vectors() -> None:
    builder = NodeBuilder("a")
    value = builder.ints((1, -1, 3), "target")
    assert value.dtype == ir.DataType.INT64
    assert constant_ints(value) == (1, -1, 3)


def test_a_reshape_brings_its_target() -> None:
    builder = NodeBuilder("a")
    result = builder.reshape(image(2, 3), ("batch", 6), (-1, 6), "flat")
    (node,) = builder.nodes
    assert (node.op_type, node.name, result.shape) == ("Reshape", "a/flat", ir.Shape(("batch", 6)))
    assert constant_ints(node.inputs[1]) == (-1, 6)
    assert node.inputs[1] is not None
    assert node.inputs[1].name == "a/flat_shape"


def test_an_absent_input_stays_absent() -> None:
    builder = NodeBuilder("a")
    builder.one("Pad", [image(1), image(1), None, image(1)], (1,))
    assert builder.nodes[0].inputs[2] is None
