"""BatchNorm behind a convolution with a stored weight: scale into the weight, shift into the bias.

s (W * x + b) + t = (s W) * x + (s b + t), with s = gamma / sqrt(variance + epsilon) and t = beta - mean s.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.batchnorm import batchnorm_affine
from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import constant, is_op, module_path, only_consumer, static_shape
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.named.condconv import conv_settings
from condmix.exporters.rewrite.rule import Exactness, Refusal


@dataclass(frozen=True)
class FoldBatchnormIntoConv:
    """Conv -> BatchNormalization becomes Conv."""

    name: str = "fold_batchnorm_into_conv"
    exactness: Exactness = Exactness.EXACT

    def match(self, node: ir.Node) -> Replacement | Refusal | None:
        conv = node.inputs[0].producer() if node.inputs and node.inputs[0] is not None else None
        affine = batchnorm_affine(node)
        if conv is None or affine is None or not is_op(conv, "Conv"):
            return None
        if only_consumer(conv.outputs[0]) is None:
            return Refusal(reason="the convolution in front has other readers")
        weight = constant(conv.inputs[1])
        bias = constant(conv.inputs[2]) if len(conv.inputs) > 2 else None
        if weight is None or weight.ndim != 4 or (len(conv.inputs) > 2 and bias is None):
            return None
        builder = NodeBuilder(module_path(conv))
        folded_weight = weight * affine.scale[:, None, None, None]
        folded_bias = affine.shift if bias is None else affine.shift + affine.scale * bias
        inputs = [
            conv.inputs[0],
            builder.constant(folded_weight.astype(np.float32), "weight"),
            builder.constant(folded_bias.astype(np.float32), "bias"),
        ]
        settings = conv_settings(conv, weight.shape[2:])
        result = builder.one("Conv", inputs, static_shape(node.outputs[0]), attributes=settings.attributes())
        return Replacement(removed=(conv, node), results=((node.outputs[0], result),), builder=builder)
