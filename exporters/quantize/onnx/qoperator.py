"""From QDQ form to the integer operators themselves: what ONNX Runtime fuses is written fused.

QLinearConv is an ONNX operator; the others are ONNX Runtime's own (com.microsoft, ContribOperators.md). Both forms
mean the same; this one is for tools that do not fuse, and runs in ONNX Runtime only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.facts import MODULE_KEY, is_op, module_path, only_consumer, static_shape
from condmix.exporters.graph.splice import remove_unused

DOMAIN = "com.microsoft"
ELEMENTWISE = {
    "Add": "QLinearAdd",
    "Mul": "QLinearMul",
    "Sigmoid": "QLinearSigmoid",
    "LeakyRelu": "QLinearLeakyRelu",
    "GlobalAveragePool": "QLinearGlobalAveragePool",
    "AveragePool": "QLinearAveragePool",
}


@dataclass(frozen=True, kw_only=True)
class Integers:
    """What DequantizeLinear reads, or QuantizeLinear gives."""

    value: ir.Value
    scale: ir.Value
    zero_point: ir.Value

    @property
    def triple(self) -> list[ir.Value | None]:
        return [self.value, self.scale, self.zero_point]


def fuse(model: ir.Model) -> int:
    """Write integer operators for all groups of DequantizeLinear, operator, QuantizeLinear; returns how many."""
    graph = model.graph
    count = 0
    for node in list(graph):
        fused = _conv(node) or _gemm(node) or _mixing(node) or _elementwise(node)
        if fused is None:
            continue
        operator, old = fused
        operator.metadata_props[MODULE_KEY] = module_path(node)
        _register_zeros(graph, operator)
        graph.insert_before(old.producer() or node, operator)
        new = operator.outputs[0]
        new.name, new.type, new.shape = old.name, old.type, old.shape
        ir.convenience.replace_all_uses_with(old, new, replace_graph_outputs=True)
        old.name = f"{old.name}/replaced"
        count += 1
    graph.sort()
    remove_unused(graph)
    if any(node.domain == DOMAIN for node in graph):
        model.opset_imports[DOMAIN] = 1
        graph.opset_imports[DOMAIN] = 1
    return count


def _register_zeros(graph: ir.Graph, operator: ir.Node) -> None:
    """Zero points that were left out are stored once for each type."""
    for place, value in enumerate(operator.inputs):
        if value is None or value.const_value is None or value.is_initializer():
            continue
        known = graph.initializers.get(value.name or "")
        if known is None:
            graph.register_initializer(value)
        else:
            operator.replace_input_with(place, known)


Fused = tuple[ir.Node, ir.Value]
"""The integer operator, and the value that its result replaces."""


def _before(value: ir.Value | None) -> Integers | None:
    """The integers that a value is the real numbers of."""
    node = None if value is None else value.producer()
    if node is None or not is_op(node, "DequantizeLinear"):
        return None
    integers, scale = node.inputs[:2]
    assert integers is not None
    assert scale is not None
    zero_point = node.inputs[2] if len(node.inputs) > 2 else None
    if zero_point is None:
        zero_point = _zero(integers, scale)
    return Integers(value=integers, scale=scale, zero_point=zero_point)


def _zero(integers: ir.Value, scale: ir.Value) -> ir.Value:
    """The zero point that DequantizeLinear may leave out; the integer operators want one for each scale."""
    assert integers.dtype is not None
    zero = np.zeros(static_shape(scale), integers.dtype.numpy())
    name = f"zero/{integers.dtype.name.lower()}_{zero.size}"
    return ir.Value(
        name=name, shape=ir.Shape(zero.shape), type=ir.TensorType(integers.dtype), const_value=ir.tensor(zero)
    )


def _after(value: ir.Value) -> Integers | None:
    """The integers that a value is rounded to."""
    reader = only_consumer(value)
    if reader is None or not is_op(reader, "QuantizeLinear"):
        return None
    scale, zero_point = reader.inputs[1:3]
    assert scale is not None
    assert zero_point is not None
    return Integers(value=reader.outputs[0], scale=scale, zero_point=zero_point)


def _operator(
    op_type: str, inputs: Sequence[ir.Value | None], node: ir.Node, *, domain: str = DOMAIN, keep: bool = True
) -> ir.Node:
    attributes = [ir.Attr(item.name, item.type, item.value) for item in node.attributes.values()] if keep else []
    return ir.Node(domain, op_type, list(inputs), attributes, num_outputs=1)


def _conv(node: ir.Node) -> Fused | None:
    if not is_op(node, "Conv"):
        return None
    x, weight, after = _before(node.inputs[0]), _before(node.inputs[1]), _after(node.outputs[0])
    if x is None or weight is None or after is None:
        return None
    inputs = [*x.triple, *weight.triple, after.scale, after.zero_point, *_bias(node)]
    return _operator("QLinearConv", inputs, node, domain=""), after.value


def _bias(node: ir.Node) -> list[ir.Value | None]:
    """The integers of a bias: their scale is the product of the other two."""
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    producer = None if bias is None else bias.producer()
    return [producer.inputs[0]] if producer is not None and is_op(producer, "DequantizeLinear") else []


def _gemm(node: ir.Node) -> Fused | None:
    if not is_op(node, "Gemm"):
        return None
    x, weight, after = _before(node.inputs[0]), _before(node.inputs[1]), _after(node.outputs[0])
    if x is None or weight is None:
        return None
    inputs = [*x.triple, *weight.triple, *(_bias(node) or [None])]
    if after is None:
        return _operator("QGemm", inputs, node, keep=False), node.outputs[0]
    return _operator("QGemm", [*inputs, after.scale, after.zero_point], node, keep=False), after.value


def _mixing(node: ir.Node) -> Fused | None:
    if not is_op(node, "MatMul"):
        return None
    left, right = _before(node.inputs[0]), _before(node.inputs[1])
    if left is None or right is None:
        return None
    inputs = [left.value, right.value, left.scale, right.scale, left.zero_point, right.zero_point]
    return _operator("MatMulIntegerToFloat", inputs, node), node.outputs[0]


def _elementwise(node: ir.Node) -> Fused | None:
    if not is_op(node, *ELEMENTWISE):
        return None
    operands = [_before(value) for value in node.inputs]
    after = _after(node.outputs[0])
    if after is None or any(operand is None for operand in operands):
        return None
    inputs = [item for operand in operands if operand is not None for item in operand.triple]
    return _operator(ELEMENTWISE[node.op_type], [*inputs, after.scale, after.zero_point], node), after.value
