"""The mean over height and width becomes GlobalAveragePool, which runtimes keep in their own layouts."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import attribute_int, constant_ints, is_op, module_path, static_shape
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.rewrite.rule import Exactness


@dataclass(frozen=True)
class GlobalAveragePool:
    """ReduceMean over axes 2 and 3 of an image becomes GlobalAveragePool."""

    name: str = "global_average_pool"
    exactness: Exactness = Exactness.EXACT

    def match(self, node: ir.Node) -> Replacement | None:
        source = node.inputs[0] if node.inputs else None
        if source is None or not is_op(node, "ReduceMean") or len(static_shape(source)) != 4:
            return None
        axes = constant_ints(node.inputs[1]) if len(node.inputs) > 1 else None
        if axes is None or {axis % 4 for axis in axes} != {2, 3} or source.dtype != ir.DataType.FLOAT:
            return None
        channels = static_shape(source)[1]
        builder = NodeBuilder(module_path(node))
        result = builder.one("GlobalAveragePool", [source], (1, channels, 1, 1))
        if attribute_int(node, "keepdims", 1) == 0:
            result = builder.reshape(result, (1, channels), (1, channels), "pooled")
        return Replacement(removed=(node,), results=((node.outputs[0], result),), builder=builder)
