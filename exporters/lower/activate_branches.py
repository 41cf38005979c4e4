"""An activation behind a Concat of branches moves into the branches: runtimes fuse it with the convolution there.

The same numbers: an elementwise function does not care where its images are joined.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import attribute_int, constant, is_op, module_path, only_consumer
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.rewrite.rule import Exactness

_UNARY = ("Relu", "Clip", "HardSwish", "LeakyRelu", "Sigmoid", "Elu")


@dataclass(frozen=True)
class ActivateBranches:
    """act(Concat(conv, conv)) becomes Concat(act(conv), act(conv))."""

    name: str = "activate_branches"
    exactness: Exactness = Exactness.EXACT

    def match(self, node: ir.Node) -> Replacement | None:
        """The replacement for a Concat of convolutions that nothing but its activation reads."""
        if not is_op(node, "Concat") or attribute_int(node, "axis", 0) != 1:
            return None
        branches = [value for value in node.inputs if value is not None]
        if not all(is_op(value.producer(), "Conv") and only_consumer(value) is node for value in branches):
            return None
        activation = _activation(node.outputs[0])
        if not activation:
            return None
        builder = NodeBuilder(module_path(activation[-1]))
        results = [_applied(builder, activation, node.outputs[0], branch) for branch in branches]
        shape = list(activation[-1].outputs[0].shape or ())
        joined = builder.one("Concat", results, _dimensions(shape), attributes={"axis": 1})
        last = activation[-1].outputs[0]
        return Replacement(removed=(node, *activation), results=((last, joined),), builder=builder)


def _activation(value: ir.Value) -> tuple[ir.Node, ...]:
    """The nodes that are all that reads the value: one of a single input, or Sigmoid and Mul."""
    readers = list(dict.fromkeys(use.node for use in value.uses()))
    if value.is_graph_output():
        return ()
    if len(readers) == 1 and is_op(readers[0], *_UNARY):
        constants = all(constant(one) is not None for one in readers[0].inputs[1:] if one is not None)
        return (readers[0],) if constants and readers[0].inputs[0] is value else ()
    gates = [node for node in readers if is_op(node, "Sigmoid")]
    products = [node for node in readers if is_op(node, "Mul")]
    if len(readers) != 2 or not gates or not products:
        return ()
    gate, product = gates[0], products[0]
    if only_consumer(gate.outputs[0]) is not product or set(product.inputs) != {value, gate.outputs[0]}:
        return ()
    return gate, product


def _applied(builder: NodeBuilder, activation: tuple[ir.Node, ...], whole: ir.Value, branch: ir.Value) -> ir.Value:
    shape = _dimensions(list(branch.shape or ()))
    current = {whole: branch}
    for node in activation:
        inputs = [current.get(value, value) if value is not None else None for value in node.inputs]
        current[node.outputs[0]] = builder.one(node.op_type, inputs, shape)
        for name, attribute in node.attributes.items():
            builder.nodes[-1].attributes[name] = attribute
    return current[activation[-1].outputs[0]]


def _dimensions(shape: list[int | ir.SymbolicDim]) -> list[int | str]:
    return [length if isinstance(length, int) else str(length.value) for length in shape]
