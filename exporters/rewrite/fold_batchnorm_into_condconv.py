"""BatchNorm behind a CondConv: scale into every expert, shift into the constant bias.

s (sum_e r_e W_e * x + b + sum_e r_e b_e) + t = sum_e r_e (s W_e) * x + (s b + t) + sum_e r_e (s b_e).
The shift must not be multiplied by the routing: sigmoid routings do not sum to one.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from condmix.exporters.graph.batchnorm import batchnorm_affine
from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import only_consumer, static_shape
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.named.condconv import build_condconv, is_condconv, read_condconv
from condmix.exporters.rewrite.rule import Exactness, Refusal


@dataclass(frozen=True)
class FoldBatchnormIntoCondconv:
    """CondConv -> BatchNormalization becomes CondConv."""

    name: str = "fold_batchnorm_into_condconv"
    exactness: Exactness = Exactness.EXACT

    def match(self, node: ir.Node) -> Replacement | Refusal | None:
        named = node.inputs[0].producer() if node.inputs and node.inputs[0] is not None else None
        affine = batchnorm_affine(node)
        if named is None or affine is None or not is_condconv(named):
            return None
        if only_consumer(named.outputs[0]) is None:
            return Refusal(reason="the CondConv in front has other readers")
        layer = read_condconv(named)
        builder = NodeBuilder(layer.path)
        expert_bias = None if layer.expert_bias_eo is None else layer.expert_bias_eo * affine.scale
        result = build_condconv(
            builder,
            layer.x,
            layer.routing,
            layer.experts_eoihw * affine.scale[None, :, None, None, None],
            layer.bias_o * affine.scale + affine.shift,
            expert_bias,
            layer.settings,
            static_shape(node.outputs[0]),
        )
        return Replacement(removed=(named, node), results=((node.outputs[0], result),), builder=builder)
