"""BatchNorm behind a MixConv: each branch takes its slice of the scale into its weight, of the shift into its bias."""

from __future__ import annotations

from dataclasses import dataclass, replace

import onnx_ir as ir

from condmix.exporters.graph.batchnorm import batchnorm_affine
from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import only_consumer, static_shape
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.named.mixconv import Branch, build_mixconv, is_mixconv, read_mixconv
from condmix.exporters.rewrite.rule import Exactness, Refusal


@dataclass(frozen=True)
class FoldBatchnormIntoMixconv:
    """MixConv -> BatchNormalization becomes MixConv."""

    name: str = "fold_batchnorm_into_mixconv"
    exactness: Exactness = Exactness.EXACT

    def match(self, node: ir.Node) -> Replacement | Refusal | None:
        named = node.inputs[0].producer() if node.inputs and node.inputs[0] is not None else None
        affine = batchnorm_affine(node)
        if named is None or affine is None or not is_mixconv(named):
            return None
        if only_consumer(named.outputs[0]) is None:
            return Refusal(reason="the MixConv in front has other readers")
        layer = read_mixconv(named)
        branches: list[Branch] = []
        first = 0
        for branch in layer.branches:
            channels = slice(first, first + branch.out_channels)
            scale, shift = affine.scale[channels], affine.shift[channels]
            branches.append(
                replace(
                    branch,
                    weight_oihw=branch.weight_oihw * scale[:, None, None, None],
                    bias_o=branch.bias_o * scale + shift,
                )
            )
            first += branch.out_channels
        builder = NodeBuilder(layer.path)
        result = build_mixconv(builder, layer.x, branches, static_shape(node.outputs[0]))
        return Replacement(removed=(named, node), results=((node.outputs[0], result),), builder=builder)
