"""CondConv as a weighted sum of static convolutions: sum_e conv(r_e x, W_e). Any batch, any accelerator.

Convolution is linear, so the weight may multiply the input: runtimes then fuse the running sum into the next
convolution. The constant bias rides on the first expert. Costs E times the multiply-adds; every
kernel is an initializer.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.lower.form import CondConvForm, FormRefusal
from condmix.exporters.lower.kernel_mixing import mixed_bias
from condmix.exporters.named.condconv import CondConvLayer


def refuse(layer: CondConvLayer, batch: BatchAxis) -> FormRefusal | None:
    """Always possible."""
    del layer, batch
    return None


def build(builder: NodeBuilder, layer: CondConvLayer, batch: BatchAxis) -> ir.Value:
    """The layer's output, shape (batch, out, height, width)."""
    count = layer.experts
    weights = builder.node(
        "Split",
        [layer.routing, builder.ints((1,) * count, "one_each")],
        [(batch.dimension, 1)] * count,
        role="routing_of_expert",
        attributes={"axis": 1},
    )
    shape = (batch.dimension, *layer.output_chw)
    total: ir.Value | None = None
    for index, weight in enumerate(weights):
        as_image = builder.reshape(
            weight, (batch.dimension, 1, 1, 1), (batch.target, 1, 1, 1), f"routing_{index}_as_image"
        )
        scaled = builder.one(
            "Mul", [layer.x, as_image], (batch.dimension, *layer.input_chw), role=f"scaled_for_expert_{index}"
        )
        inputs = [scaled, builder.constant(layer.experts_eoihw[index], f"expert_{index}")]
        if index == 0 and layer.bias_o.any():
            inputs.append(builder.constant(layer.bias_o, "bias"))
        part = builder.one("Conv", inputs, shape, role=f"conv_expert_{index}", attributes=layer.settings.attributes())
        total = part if total is None else builder.one("Add", [part, total], shape, role=f"sum_to_expert_{index}")
    assert total is not None
    if layer.expert_bias_eo is None:
        return total
    # The constant part of the bias is in the first convolution already.
    rows = mixed_bias(builder, _without_constant_bias(layer), batch)
    channels = layer.output_chw[0]
    bias = builder.reshape(rows, (batch.dimension, channels, 1, 1), (batch.target, channels, 1, 1), "bias_as_image")
    return builder.one("Add", [total, bias], shape, role="add_bias")


def _without_constant_bias(layer: CondConvLayer) -> CondConvLayer:
    return replace(layer, bias_o=np.zeros_like(layer.bias_o))


FORM = CondConvForm(name="experts", refuse=refuse, build=build)
