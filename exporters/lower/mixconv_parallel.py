"""MixConv as it is defined: Split, one convolution a kernel size, Concat."""

from __future__ import annotations

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.lower.form import FormRefusal, MixConvForm
from condmix.exporters.named.mixconv import MixConvLayer


def refuse(layer: MixConvLayer, batch: BatchAxis) -> FormRefusal | None:
    """Always possible."""
    del layer, batch
    return None


def build(layer: MixConvLayer, batch: BatchAxis) -> Replacement:
    """Parallel convolutions between a Split and a Concat."""
    builder = NodeBuilder(layer.path)
    _, height, width = layer.input_chw
    split = tuple(branch.in_channels for branch in layer.branches)
    parts = builder.node(
        "Split",
        [layer.x, builder.ints(split, "split")],
        [(batch.dimension, channels, height, width) for channels in split],
        attributes={"axis": 1},
    )
    results = [
        builder.one(
            "Conv",
            [
                part,
                builder.constant(branch.weight_oihw, f"weight_{index}"),
                builder.constant(branch.bias_o, f"bias_{index}"),
            ],
            (batch.dimension, branch.out_channels, *layer.output_chw[1:]),
            role=f"branch_{index}",
            attributes=branch.settings.attributes(),
        )
        for index, (part, branch) in enumerate(zip(parts, layer.branches, strict=True))
    ]
    output = builder.one("Concat", results, (batch.dimension, *layer.output_chw), attributes={"axis": 1})
    return Replacement(removed=(layer.node,), results=((layer.output, output),), builder=builder)


FORM = MixConvForm(name="parallel", refuse=refuse, build=build)
