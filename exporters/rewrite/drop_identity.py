"""Nodes that hand their input through disappear: Identity, Dropout, and any shape operator that changes nothing.

Exact for the network on one image, which is what the batch-1 graph states; `x[0:1]` is the whole tensor there.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from condmix.exporters.graph.facts import attribute_ints, constant_ints, is_op, static_shape
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.rewrite.rule import Exactness

_UNCHANGED_WHEN_SHAPE_IS = ("Reshape", "Expand", "Slice", "Squeeze", "Unsqueeze", "Flatten")


@dataclass(frozen=True)
class DropIdentity:
    """x -> Identity -> y becomes x."""

    name: str = "drop_identity"
    exactness: Exactness = Exactness.EXACT

    def match(self, node: ir.Node) -> Replacement | None:
        source = node.inputs[0] if node.inputs else None
        if source is None or not _hands_through(node, source):
            return None
        if node.outputs[0].is_graph_output():
            return None
        return Replacement(removed=(node,), results=((node.outputs[0], source),))


def _hands_through(node: ir.Node, source: ir.Value) -> bool:
    if is_op(node, "Identity", "Dropout"):
        return not any(output.uses() for output in node.outputs[1:])
    if is_op(node, "Concat"):
        return len(node.inputs) == 1
    if is_op(node, "Cast"):
        return source.dtype == node.outputs[0].dtype
    if is_op(node, "Pad"):
        pads = constant_ints(node.inputs[1])
        return pads is not None and not any(pads)
    if is_op(node, "Transpose"):
        rank = len(static_shape(source))
        return attribute_ints(node, "perm", tuple(reversed(range(rank)))) == tuple(range(rank))
    if is_op(node, "Slice"):
        steps = constant_ints(node.inputs[4]) if len(node.inputs) > 4 else (1,)
        if steps is None or any(step != 1 for step in steps):
            return False
    return is_op(node, *_UNCHANGED_WHEN_SHAPE_IS) and static_shape(source) == static_shape(node.outputs[0])
