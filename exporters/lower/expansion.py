"""The expansion in front of a MixConv: a 1x1 convolution and an elementwise activation that only the MixConv reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import attribute_int, constant, is_op, only_consumer
from condmix.exporters.lower.batch_axis import BatchAxis

_UNARY = ("Relu", "Clip", "HardSwish", "LeakyRelu", "Sigmoid", "Elu")


@dataclass(frozen=True, kw_only=True)
class Expansion:
    """conv -> activation, seen from behind. `activation` lists its nodes in order; SiLU is Sigmoid then Mul."""

    conv: ir.Node
    activation: tuple[ir.Node, ...]
    weight_oihw: np.ndarray
    bias_o: np.ndarray
    group: int

    def apply_activation(self, builder: NodeBuilder, value: ir.Value, batch: BatchAxis, role: str) -> ir.Value:
        """The same activation on another value."""
        shape = (batch.dimension, *(length for length in (value.shape or ())[1:] if isinstance(length, int)))
        current = value
        for node in self.activation:
            if is_op(node, "Mul"):
                inputs: list[ir.Value | None] = [value, current]
            else:
                inputs = [current, *node.inputs[1:]]
            current = builder.one(node.op_type, inputs, shape, role=f"{role}_{node.op_type.lower()}")
            for name, attribute in node.attributes.items():
                builder.nodes[-1].attributes[name] = attribute
        return current


def find_expansion(value: ir.Value) -> Expansion | None:
    """The expansion that computes `value`, when nothing but the chain itself and one node behind reads any of it."""
    if only_consumer(value) is None:
        return None
    node = value.producer()
    activation: tuple[ir.Node, ...] = ()
    before = value
    if (
        node is not None
        and is_op(node, *_UNARY)
        and all(constant(item) is not None for item in node.inputs[1:] if item)
    ):
        assert node.inputs[0] is not None
        activation, before = (node,), node.inputs[0]
        if only_consumer(before) is None:
            return None
    elif node is not None and is_op(node, "Mul"):
        silu = _silu(node)
        if silu is None:
            return None
        sigmoid, before = silu
        activation = (sigmoid, node)
    conv = before.producer()
    if conv is None or not is_op(conv, "Conv"):
        return None
    weight = constant(conv.inputs[1])
    bias = constant(conv.inputs[2]) if len(conv.inputs) > 2 else None
    if weight is None or weight.ndim != 4 or (len(conv.inputs) > 2 and bias is None):
        return None
    return Expansion(
        conv=conv,
        activation=activation,
        weight_oihw=weight,
        bias_o=np.zeros(weight.shape[0], dtype=np.float32) if bias is None else bias,
        group=attribute_int(conv, "group", 1),
    )


def _silu(node: ir.Node) -> tuple[ir.Node, ir.Value] | None:
    """x * sigmoid(x), read by nothing else: its Sigmoid and its x."""
    for x, gate in ((node.inputs[0], node.inputs[1]), (node.inputs[1], node.inputs[0])):
        if x is None or gate is None:
            continue
        sigmoid = gate.producer()
        if sigmoid is None or not is_op(sigmoid, "Sigmoid") or sigmoid.inputs[0] is not x:
            continue
        readers = {use.node for use in x.uses()}
        if readers == {sigmoid, node} and only_consumer(gate) is node and not x.is_graph_output():
            return sigmoid, x
    return None
