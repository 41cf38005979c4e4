"""A Transpose of a Transpose is one, or none: what exporters from (height, width, channels) leave behind."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import attribute_ints, is_op, module_path, static_shape
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.rewrite.rule import Exactness


@dataclass(frozen=True)
class CancelTransposes:
    """Two Transposes after one another become one, or none."""

    name: str = "cancel_transposes"
    exactness: Exactness = Exactness.EXACT

    def match(self, node: ir.Node) -> Replacement | None:
        source = node.inputs[0] if is_op(node, "Transpose") else None
        before = None if source is None else source.producer()
        if before is None or not is_op(before, "Transpose") or before.inputs[0] is None:
            return None
        rank = len(static_shape(node.outputs[0]))
        backwards = tuple(reversed(range(rank)))
        first, second = attribute_ints(before, "perm", backwards), attribute_ints(node, "perm", backwards)
        permutation = tuple(first[axis] for axis in second)
        origin = before.inputs[0]
        if permutation == tuple(range(rank)):
            if node.outputs[0].is_graph_output():
                return None
            return Replacement(removed=(node,), results=((node.outputs[0], origin),))
        builder = NodeBuilder(module_path(node))
        result = builder.one("Transpose", [origin], static_shape(node.outputs[0]), attributes={"perm": permutation})
        return Replacement(removed=(node,), results=((node.outputs[0], result),), builder=builder)
