"""A twin has the names of the given size and the weights that will be rounded; shapes are read of integers."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir

from condmix.exporters.graph.facts import constant
from condmix.exporters.quantize.onnx.any_size import as_twin, read_shapes_of_integers
from tests.exporters.sizes.sized import graph, node

WEIGHT = np.arange(16, dtype=np.float32).reshape(4, 4, 1, 1)
BIAS = np.arange(4, dtype=np.float32)


def drawn(height: int, names: tuple[str, str], weight: np.ndarray, bias: np.ndarray | None = None) -> ir.Model:
    inner, result = names
    stored = {"w": weight, **({} if bias is None else {"bias": bias}), "to": [1, 4, height * 8]}
    inputs = ["x", "w", *(() if bias is None else ("bias",))]
    nodes = [node("Conv", inputs, [inner]), node("Reshape", [inner, "to"], [result])]
    return ir.from_proto(graph(nodes, height, 8, outputs=(result,), **stored))


def test_names_and_weights_are_taken_over_and_sizes_are_not() -> None:
    base = drawn(8, ("a", "b"), WEIGHT)
    improved = drawn(8, ("a", "b"), WEIGHT + 0.5, BIAS)
    # Names that change places.
    other = drawn(13, ("b", "a"), WEIGHT)
    twin = as_twin(improved, base, other)
    conv, reshape = twin.graph
    assert [conv.outputs[0].name, reshape.outputs[0].name] == ["a", "b"]
    np.testing.assert_array_equal(constant(conv.inputs[1]), WEIGHT + 0.5)
    np.testing.assert_array_equal(constant(conv.inputs[2]), BIAS)
    np.testing.assert_array_equal(constant(reshape.inputs[1]), [1, 4, 104])
    assert [one.outputs[0].name for one in other.graph] == ["b", "a"]
    onnx.checker.check_model(ir.to_proto(twin))


def test_a_shape_is_read_of_integers_and_of_real_numbers_where_there_are_none() -> None:
    scale, zero = np.float32(0.5).reshape(()), np.uint8(3)
    nodes = [
        node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        node("DequantizeLinear", ["q", "scale", "zero"], ["r"]),
        node("Shape", ["r"], ["s"]),
        node("Shape", ["x"], ["t"]),
        node("Concat", ["s", "t"], ["u"], axis=0),
        node("Reshape", ["r", "s"]),
    ]
    model = ir.from_proto(graph(nodes, 8, 8, scale=np.asarray(scale), zero=np.asarray(zero)))
    read_shapes_of_integers(model)
    asked = [one.inputs[0].name for one in model.graph if one.op_type == "Shape" and one.inputs[0] is not None]
    assert asked == ["q", "x"]
