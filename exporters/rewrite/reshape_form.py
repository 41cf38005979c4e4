"""One form for all shape changes that keep the order of elements: Reshape.

Squeeze, Unsqueeze, Flatten, and a Transpose that only moves axes of size one (the way back of the batch-in-groups
trick passes through [out, 1, height, width]) all become Reshape, and a Reshape of a Reshape becomes one.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import attribute_ints, is_op, module_path, static_shape
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.rewrite.rule import Exactness


@dataclass(frozen=True)
class ReshapeForm:
    """Order-keeping shape changes become one Reshape."""

    name: str = "reshape_form"
    exactness: Exactness = Exactness.EXACT

    def match(self, node: ir.Node) -> Replacement | None:
        source = node.inputs[0] if node.inputs else None
        if source is None or not _keeps_order(node, source):
            return None
        producer = source.producer()
        chained = producer is not None and is_op(producer, "Reshape") and producer.inputs[0] is not None
        if is_op(node, "Reshape") and not chained:
            return None
        if chained:
            assert producer is not None
            assert producer.inputs[0] is not None
            source = producer.inputs[0]
        shape = static_shape(node.outputs[0])
        builder = NodeBuilder(module_path(node))
        result = builder.reshape(source, shape, shape, "Reshape")
        result.type = node.outputs[0].type
        return Replacement(removed=(node,), results=((node.outputs[0], result),), builder=builder)


def _keeps_order(node: ir.Node, source: ir.Value) -> bool:
    if is_op(node, "Reshape", "Squeeze", "Unsqueeze", "Flatten"):
        return True
    if not is_op(node, "Transpose"):
        return False
    shape = static_shape(source)
    permutation = attribute_ints(node, "perm", tuple(reversed(range(len(shape)))))
    moved = [axis for axis in permutation if shape[axis] != 1]
    return moved == sorted(moved)
