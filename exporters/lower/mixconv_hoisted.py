"""MixConv without a Split: every branch has its own slice of the expansion in front of it.

Slicing channels commutes with an elementwise activation, and slicing a convolution's output is slicing its weight; so
Split(act(conv(x, W))) = (act(conv(x, W_1)), act(conv(x, W_2)), ...). An expansion in groups is cut at the groups as
well; a depthwise branch may be cut anywhere, so a branch that straddles two groups becomes two.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.lower.expansion import Expansion, find_expansion
from condmix.exporters.lower.form import FormRefusal, MixConvForm
from condmix.exporters.lower.mixconv_recut import sliced
from condmix.exporters.named.condconv import conv_settings
from condmix.exporters.named.mixconv import Branch, MixConvLayer


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Channels start to stop of the expanded tensor: one group of the expansion, one branch of the MixConv."""

    start: int
    stop: int
    group: int
    branch: Branch


def refuse(layer: MixConvLayer, batch: BatchAxis) -> FormRefusal | None:
    """The layer needs an expansion of its own, and depthwise branches."""
    del batch
    if not layer.is_depthwise:
        return FormRefusal(reason="`hoisted` needs depthwise branches: these mix channels")
    if find_expansion(layer.x) is None:
        return FormRefusal(
            reason="`hoisted` needs a convolution (and activation) in front whose output only this layer reads"
        )
    return None


def cut(layer: MixConvLayer, expansion: Expansion) -> tuple[Piece, ...]:
    """The pieces, in channel order."""
    per_group = layer.input_chw[0] // expansion.group
    pieces: list[Piece] = []
    first = 0
    for branch in layer.branches:
        stop = first + branch.in_channels
        start = first
        while start < stop:
            group = start // per_group
            end = min(stop, (group + 1) * per_group)
            part = sliced(branch, start - first, end - first)
            pieces.append(Piece(start=start, stop=end, group=group, branch=part))
            start = end
        first = stop
    return tuple(pieces)


def build(layer: MixConvLayer, batch: BatchAxis) -> Replacement:
    """Parallel expansion, activation and depthwise convolutions, one Concat."""
    expansion = find_expansion(layer.x)
    assert expansion is not None
    builder = NodeBuilder(layer.path)
    sources = group_inputs(builder, expansion, batch)
    settings = conv_settings(expansion.conv, expansion.weight_oihw.shape[2:])
    _, height, width = layer.input_chw
    results: list[ir.Value] = []
    for index, piece in enumerate(cut(layer, expansion)):
        expanded = builder.one(
            "Conv",
            [
                sources[piece.group],
                builder.constant(expansion.weight_oihw[piece.start : piece.stop], f"expand_weight_{index}"),
                builder.constant(expansion.bias_o[piece.start : piece.stop], f"expand_bias_{index}"),
            ],
            (batch.dimension, piece.stop - piece.start, height, width),
            role=f"expand_{index}",
            attributes=settings.attributes(group=1),
        )
        active = expansion.apply_activation(builder, expanded, batch, f"expand_{index}")
        results.append(
            builder.one(
                "Conv",
                [
                    active,
                    builder.constant(piece.branch.weight_oihw, f"weight_{index}"),
                    builder.constant(piece.branch.bias_o, f"bias_{index}"),
                ],
                (batch.dimension, piece.branch.out_channels, *layer.output_chw[1:]),
                role=f"branch_{index}",
                attributes=piece.branch.settings.attributes(),
            )
        )
    output = builder.one("Concat", results, (batch.dimension, *layer.output_chw), attributes={"axis": 1})
    removed = (expansion.conv, *expansion.activation, layer.node)
    return Replacement(removed=removed, results=((layer.output, output),), builder=builder)


def group_inputs(builder: NodeBuilder, expansion: Expansion, batch: BatchAxis) -> tuple[ir.Value, ...]:
    """What each group of the expansion reads."""
    x = expansion.conv.inputs[0]
    assert x is not None
    assert x.shape is not None
    if expansion.group == 1:
        return (x,)
    channels, height, width = (int(size) for size in x.shape[1:])  # type: ignore[arg-type]
    each = channels // expansion.group
    return builder.node(
        "Split",
        [x, builder.ints((each,) * expansion.group, "group_split")],
        [(batch.dimension, each, height, width)] * expansion.group,
        role="groups",
        attributes={"axis": 1},
    )


FORM = MixConvForm(name="hoisted", refuse=refuse, build=build)
