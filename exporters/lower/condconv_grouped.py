"""CondConv for a fixed batch N as one convolution of N times the groups: image n only meets kernel n.

The batch-in-groups form in which most PyTorch code computes CondConv; `group` is an attribute in ONNX, so N must be
fixed.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.lower.form import CondConvForm, FormRefusal
from condmix.exporters.lower.kernel_mixing import mix_kernels, mixed_bias
from condmix.exporters.named.condconv import CondConvLayer


def refuse(layer: CondConvLayer, batch: BatchAxis) -> FormRefusal | None:
    """The number of groups is written into the file."""
    del layer
    if not batch.is_dynamic:
        return None
    return FormRefusal(reason="`grouped` writes the batch into Conv's group attribute: it needs a fixed --batch N")


def build(builder: NodeBuilder, layer: CondConvLayer, batch: BatchAxis) -> ir.Value:
    """The layer's output, shape (N, out, height, width)."""
    images = batch.times(1)
    out_channels, in_per_group, kernel_height, kernel_width = layer.experts_eoihw.shape[1:]
    channels, height, width = layer.input_chw
    mixed = mix_kernels(builder, layer, batch)
    kernel_shape = (images * out_channels, in_per_group, kernel_height, kernel_width)
    kernel = builder.reshape(mixed, kernel_shape, kernel_shape, "kernels")
    x_shape = (1, images * channels, height, width)
    x = builder.reshape(layer.x, x_shape, x_shape, "images_as_groups")
    if layer.expert_bias_eo is None:
        bias = builder.constant(np.tile(layer.bias_o, images), "bias")
    else:
        flat = (images * out_channels,)
        bias = builder.reshape(mixed_bias(builder, layer, batch), flat, flat, "bias_row")
    joint = (1, images * out_channels, *layer.output_chw[1:])
    attributes = layer.settings.attributes(group=images * layer.settings.group)
    result = builder.one("Conv", [x, kernel, bias], joint, attributes=attributes)
    shape = (images, *layer.output_chw)
    return builder.reshape(result, shape, shape, "groups_as_images")


FORM = CondConvForm(name="grouped", refuse=refuse, build=build)
