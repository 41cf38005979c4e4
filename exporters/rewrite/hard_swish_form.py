"""x * HardSigmoid(x), as operator sets below 14 write it, is HardSwish: one function by definition (HardSwish-14)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import attribute_float, is_op, module_path, only_consumer, static_shape
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.rewrite.rule import Exactness

SLOPE, OFFSET = float(np.float32(1 / 6)), 0.5


@dataclass(frozen=True)
class HardSwishForm:
    """Mul(x, HardSigmoid(x)) becomes HardSwish(x)."""

    name: str = "hard_swish_form"
    exactness: Exactness = Exactness.EXACT

    def match(self, node: ir.Node) -> Replacement | None:
        """The multiplication, when its gate is of its own other input."""
        if not is_op(node, "Mul"):
            return None
        for gate, x in (node.inputs, tuple(reversed(node.inputs))):
            before = None if gate is None else gate.producer()
            if gate is None or x is None or before is None or not is_op(before, "HardSigmoid"):
                continue
            slope = attribute_float(before, "alpha", 0.2)
            if before.inputs[0] is not x or abs(slope - SLOPE) > 1e-8 or attribute_float(before, "beta", 0.5) != OFFSET:
                continue
            builder = NodeBuilder(module_path(node))
            result = builder.one("HardSwish", [x], static_shape(node.outputs[0]))
            alone = only_consumer(gate) is node
            removed = (before, node) if alone else (node,)
            return Replacement(removed=removed, results=((node.outputs[0], result),), builder=builder)
        return None
