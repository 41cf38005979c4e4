"""A Transpose and a Reshape that only places axes of one element elsewhere are one Transpose.

The batch-in-groups trick of code that holds channels last leaves this behind once a single image is left:
(1, h, w, c) to (h, w, 1, c) to (1, h, w, c).
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import attribute_ints, is_op, module_path, static_shape
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.rewrite.rule import Exactness


@dataclass(frozen=True)
class MovedOnesForm:
    """Reshape(Transpose(x)) of as many axes becomes Transpose(x), where the Reshape keeps the order of all others."""

    name: str = "moved_ones_form"
    exactness: Exactness = Exactness.EXACT

    def match(self, node: ir.Node) -> Replacement | None:
        """The Reshape; axes of one element are taken in order, so that the batch stays in front where it may."""
        between = node.inputs[0] if is_op(node, "Reshape") else None
        before = None if between is None else between.producer()
        if between is None or before is None or not is_op(before, "Transpose") or before.inputs[0] is None:
            return None
        source = before.inputs[0]
        shape, turned, target = static_shape(source), static_shape(between), static_shape(node.outputs[0])
        if len(shape) != len(target) or [n for n in turned if n != 1] != [n for n in target if n != 1]:
            return None
        permutation = attribute_ints(before, "perm", tuple(reversed(range(len(shape)))))
        others = iter([axis for axis in permutation if shape[axis] != 1])
        ones = iter([axis for axis in range(len(shape)) if shape[axis] == 1])
        moved = tuple(next(ones) if length == 1 else next(others) for length in target)
        builder = NodeBuilder(module_path(node))
        result = builder.one("Transpose", [source], target, attributes={"perm": moved})
        return Replacement(removed=(node,), results=((node.outputs[0], result),), builder=builder)
