"""Picking the only image, or the only element of any axis, changes the shape alone: x[0] of one image is a Reshape."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import attribute_int, constant, is_op, module_path, static_shape
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.rewrite.rule import Exactness


@dataclass(frozen=True)
class OnlyElementForm:
    """Gather of one stored index from an axis of length 1 becomes Reshape."""

    name: str = "only_element_form"
    exactness: Exactness = Exactness.EXACT

    def match(self, node: ir.Node) -> Replacement | None:
        """The index can only be 0 or -1: the axis has no more."""
        source = node.inputs[0] if is_op(node, "Gather") else None
        if source is None or source.const_value is not None:
            return None
        indices, shape = constant(node.inputs[1]), static_shape(source)
        if indices is None or indices.size != 1 or shape[attribute_int(node, "axis", 0) % len(shape)] != 1:
            return None
        builder = NodeBuilder(module_path(node))
        target = static_shape(node.outputs[0])
        result = builder.reshape(source, target, target, "Reshape")
        result.type = node.outputs[0].type
        return Replacement(removed=(node,), results=((node.outputs[0], result),), builder=builder)
