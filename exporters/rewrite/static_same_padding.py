"""Zero padding in front of a convolution moves into its pads: TF's SAME at a fixed size is a pair of unequal pads."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import attribute_ints, is_op, module_path, only_consumer, static_shape
from condmix.exporters.graph.padding import spatial_zero_pads
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.named.condconv import is_condconv
from condmix.exporters.rewrite.rule import Exactness, Refusal


@dataclass(frozen=True)
class StaticSamePadding:
    """Pad -> Conv (or CondConv) becomes Conv with pads."""

    name: str = "static_same_padding"
    exactness: Exactness = Exactness.EXACT

    def match(self, node: ir.Node) -> Replacement | Refusal | None:
        x = node.inputs[0] if node.inputs else None
        if x is None or not (is_op(node, "Conv") or is_condconv(node)) or len(static_shape(x)) != 4:
            return None
        producer = x.producer()
        if producer is None or not is_op(producer, "Pad"):
            return None
        padding = spatial_zero_pads(x)
        if padding is None:
            return Refusal(reason="the padding is not constant, not of zeros, or not only spatial")
        top, left, bottom, right = attribute_ints(node, "pads", (0, 0, 0, 0))
        pads = padding.plus((top, left, bottom, right))
        builder = NodeBuilder(module_path(node))
        output = node.outputs[0]
        result = builder.one(
            node.op_type,
            [padding.source, *node.inputs[1:]],
            static_shape(output),
            domain=node.domain,
        )
        new_node = builder.nodes[-1]
        for name, attribute in node.attributes.items():
            if name != "pads":
                new_node.attributes[name] = attribute
        new_node.attributes["pads"] = ir.AttrInt64s("pads", pads)
        alone = only_consumer(x) is not None
        removed = (producer, node) if alone else (node,)
        return Replacement(removed=removed, results=((output, result),), builder=builder)
