"""relu6(x + 3) / 6 is HardSigmoid, and x times it HardSwish, by definition (HardSigmoid-6, HardSwish-14).

Code from before these operators, and TensorFlow's, writes them out: an addition, a clip, a division, a product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import constant, is_op, module_path, only_consumer, static_shape
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.rewrite.rule import Exactness

SIXTH = float(np.float32(1 / 6))


@dataclass(frozen=True)
class Relu6Gate:
    """Clip(x + 3, 0, 6) / 6 becomes HardSigmoid(x), and x * Clip(x + 3, 0, 6) / 6 HardSwish(x)."""

    name: str = "relu6_gate"
    exactness: Exactness = Exactness.EXACT

    def match(self, node: ir.Node) -> Replacement | None:
        """The division by six (or product with a sixth), last of all."""
        divided = _divided_by_six(node)
        before = None if divided is None else divided.producer()
        if divided is None or before is None or only_consumer(divided) is not node:
            return None
        shape, path = static_shape(node.outputs[0]), module_path(node)
        clipped = _relu6_of_plus_three(divided)
        builder = NodeBuilder(path)
        if clipped is not None:
            x, inner = clipped
            gate = builder.one("HardSigmoid", [x], shape, attributes={"alpha": SIXTH, "beta": 0.5})
            return Replacement(removed=(*inner, node), results=((node.outputs[0], gate),), builder=builder)
        if not is_op(before, "Mul"):
            return None
        for gate_value, x_value in (before.inputs, tuple(reversed(before.inputs))):
            clipped = None if gate_value is None else _relu6_of_plus_three(gate_value)
            if gate_value is None or clipped is None or clipped[0] is not x_value:
                continue
            if only_consumer(gate_value) is before:
                y = builder.one("HardSwish", [clipped[0]], shape)
                removed = (*clipped[1], before, node)
                return Replacement(removed=removed, results=((node.outputs[0], y),), builder=builder)
        return None


def _number(value: ir.Value | None) -> float | None:
    """A stored single number."""
    array = constant(value)
    return float(array.reshape(-1)[0]) if array is not None and array.size == 1 else None


def _divided_by_six(node: ir.Node) -> ir.Value | None:
    """What a node divides by six."""
    if is_op(node, "Div") and _number(node.inputs[1]) == 6.0:
        return node.inputs[0]
    if is_op(node, "Mul"):
        for number, other in (node.inputs, tuple(reversed(node.inputs))):
            found = _number(number)
            if found is not None and abs(found - SIXTH) < 1e-8:
                return other
    return None


def _relu6_of_plus_three(value: ir.Value) -> tuple[ir.Value, tuple[ir.Node, ...]] | None:
    """x of relu6(x + 3), with the nodes that nobody else reads."""
    clip = value.producer()
    if clip is None:
        return None
    inner = _clipped(clip)
    added = None if inner is None else inner[0].producer()
    if inner is None or added is None or not is_op(added, "Add") or only_consumer(inner[0]) is None:
        return None
    for number, x in (added.inputs, tuple(reversed(added.inputs))):
        if _number(number) == 3.0 and x is not None and static_shape(x) == static_shape(added.outputs[0]):
            return x, (added, *inner[1])
    return None


def _clipped(node: ir.Node) -> tuple[ir.Value, tuple[ir.Node, ...]] | None:
    """What is limited to 0 and 6: by Clip, or by Relu and Min."""
    source = node.inputs[0]
    if is_op(node, "Clip") and source is not None and len(node.inputs) == 3:
        return (source, (node,)) if (_number(node.inputs[1]), _number(node.inputs[2])) == (0.0, 6.0) else None
    if is_op(node, "Min") and len(node.inputs) == 2:
        for number, other in (node.inputs, tuple(reversed(node.inputs))):
            relu = None if other is None else other.producer()
            if other is None or relu is None or _number(number) != 6.0 or not is_op(relu, "Relu"):
                continue
            if only_consumer(other) is node and relu.inputs[0] is not None:
                return relu.inputs[0], (relu, node)
    return None
