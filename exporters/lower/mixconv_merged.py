"""MixConv as one depthwise convolution with the largest kernel: the smaller kernels sit in it among zeros.

Exact when all branches share their stride: output position i of a branch sees input i * stride - pad + tap, so a branch
with a smaller leading pad moves right and down by the difference. No Split, no Concat, more multiply-adds.
"""

from __future__ import annotations

import numpy as np

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.lower.form import FormRefusal, MixConvForm
from condmix.exporters.named.condconv import ConvSettings
from condmix.exporters.named.mixconv import Branch, MixConvLayer


def refuse(layer: MixConvLayer, batch: BatchAxis) -> FormRefusal | None:
    """Only depthwise branches merge."""
    del batch
    if not layer.is_depthwise:
        return FormRefusal(reason="`merged` needs depthwise branches: these mix channels")
    return None


def merged_settings(layer: MixConvLayer) -> ConvSettings:
    """The settings of the one convolution that holds all branches."""
    branches = layer.branches
    leading = tuple(max(branch.settings.pads[axis] for branch in branches) for axis in (0, 1))
    kernel = tuple(
        max(leading[axis] - branch.settings.pads[axis] + _extent(branch, axis) for branch in branches)
        for axis in (0, 1)
    )
    strides = branches[0].settings.strides
    trailing = tuple(
        (layer.output_chw[1 + axis] - 1) * strides[axis] + kernel[axis] - layer.input_chw[1 + axis] - leading[axis]
        for axis in (0, 1)
    )
    return ConvSettings(
        kernel=(kernel[0], kernel[1]),
        strides=strides,
        # A branch may leave rows at the end unseen; padding cannot be negative, and zero pads see no more than it did.
        pads=(leading[0], leading[1], max(trailing[0], 0), max(trailing[1], 0)),
        dilations=(1, 1),
        group=layer.input_chw[0],
    )


def _extent(branch: Branch, axis: int) -> int:
    return (branch.settings.kernel[axis] - 1) * branch.settings.dilations[axis] + 1


def merged_weight(layer: MixConvLayer, settings: ConvSettings) -> np.ndarray:
    """The kernel (channels, 1, height, width) with every branch's kernel at its place."""
    weight = np.zeros((layer.output_chw[0], 1, *settings.kernel), dtype=np.float32)
    first = 0
    for branch in layer.branches:
        offset = [settings.pads[axis] - branch.settings.pads[axis] for axis in (0, 1)]
        rows, columns = (
            slice(offset[axis], offset[axis] + _extent(branch, axis), branch.settings.dilations[axis])
            for axis in (0, 1)
        )
        weight[first : first + branch.out_channels, :, rows, columns] = branch.weight_oihw
        first += branch.out_channels
    return weight


def build(layer: MixConvLayer, batch: BatchAxis) -> Replacement:
    """One depthwise convolution."""
    builder = NodeBuilder(layer.path)
    settings = merged_settings(layer)
    inputs = [
        layer.x,
        builder.constant(merged_weight(layer, settings), "weight"),
        builder.constant(np.concatenate([branch.bias_o for branch in layer.branches]), "bias"),
    ]
    output = builder.one("Conv", inputs, (batch.dimension, *layer.output_chw), attributes=settings.attributes())
    return Replacement(removed=(layer.node,), results=((layer.output, output),), builder=builder)


FORM = MixConvForm(name="merged", refuse=refuse, build=build)
