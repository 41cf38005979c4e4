"""A Gather that picks every element of a flat tensor in order is a Reshape.

torch writes `as_strided` after a pooling whose input was transposed; with the batch axis in it, it would stand in
the way of a batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import attribute_int, constant, is_op, module_path, static_shape
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.rewrite.rule import Exactness


@dataclass(frozen=True)
class GatherForm:
    """Gather(flat, 0..n-1 in any shape) becomes Reshape."""

    name: str = "gather_form"
    exactness: Exactness = Exactness.EXACT

    def match(self, node: ir.Node) -> Replacement | None:
        source = node.inputs[0] if node.inputs else None
        if source is None or not is_op(node, "Gather") or attribute_int(node, "axis", 0) != 0:
            return None
        indices = constant(node.inputs[1])
        shape = static_shape(source)
        if indices is None or len(shape) != 1 or not np.array_equal(indices.reshape(-1), np.arange(shape[0])):
            return None
        builder = NodeBuilder(module_path(node))
        target = static_shape(node.outputs[0])
        result = builder.reshape(source, target, target, "Reshape")
        result.type = node.outputs[0].type
        return Replacement(removed=(node,), results=((node.outputs[0], result),), builder=builder)
