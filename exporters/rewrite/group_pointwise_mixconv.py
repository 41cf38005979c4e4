"""A MixConv of 1x1 kernels over even splits is one grouped convolution (the '1.1' layers of MixNet).

Channels i of group g only meet weights of group g in both forms, in the same order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import static_shape
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.lower.pointwise_groups import GROUPED_KEY
from condmix.exporters.named.mixconv import MixConvLayer, is_mixconv, read_mixconv
from condmix.exporters.records import GROUPING_RULE
from condmix.exporters.rewrite.rule import Exactness, Refusal


@dataclass(frozen=True)
class GroupPointwiseMixconv:
    """MixConv with equal kernels, settings and splits becomes Conv(group = branches x own groups)."""

    name: str = GROUPING_RULE
    exactness: Exactness = Exactness.EXACT

    def match(self, node: ir.Node) -> Replacement | Refusal | None:
        if not is_mixconv(node):
            return None
        layer = read_mixconv(node)
        if {branch.settings.kernel for branch in layer.branches} != {(1, 1)}:
            return None
        problem = _problem(layer)
        if problem is not None:
            return Refusal(reason=problem)
        builder = NodeBuilder(layer.path)
        group = sum(branch.settings.group for branch in layer.branches)
        inputs = [
            layer.x,
            builder.constant(np.concatenate([branch.weight_oihw for branch in layer.branches]), "weight"),
            builder.constant(np.concatenate([branch.bias_o for branch in layer.branches]), "bias"),
        ]
        attributes = layer.branches[0].settings.attributes(group=group)
        result = builder.one("Conv", inputs, static_shape(node.outputs[0]), attributes=attributes)
        # Lowering may write it in another form, and knows it by this.
        builder.nodes[-1].metadata_props[GROUPED_KEY] = str(group)
        note = f"{len(layer.branches)} pointwise branches as one convolution of {group} groups"
        return Replacement(removed=(node,), results=((node.outputs[0], result),), builder=builder, note=note)


def _problem(layer: MixConvLayer) -> str | None:
    first = layer.branches[0]
    inputs = [branch.in_channels for branch in layer.branches]
    outputs = [branch.out_channels for branch in layer.branches]
    if len(set(inputs)) > 1 or len(set(outputs)) > 1:
        return (
            f"the 1x1 branches are uneven (inputs {inputs}, outputs {outputs}): one grouped convolution needs even ones"
        )
    if any(branch.settings != first.settings for branch in layer.branches):
        return "the 1x1 branches differ in padding, stride or groups"
    return None
