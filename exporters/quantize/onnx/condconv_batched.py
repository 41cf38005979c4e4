"""CondConv for int8 at several images a call, or any number: every image has a kernel of its own.

Dense kernels are a batched product in integers. Taps are gathered as integers, channels last, so that each position is
a row; a 1x1 kernel is the row itself. Depthwise and grouped kernels are one convolution of as many times the groups as
there are images, whose number is written into the file. For any number of images they have no integer form: `group`
is an attribute, and a product of one row a channel is no product worth the name.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.lower.kernel_mixing import add_bias, has_bias
from condmix.exporters.named.condconv import CondConvLayer
from condmix.exporters.quantize.onnx.condconv import LoweredCondConv, build_condconv_int8, form_name, mix

PRODUCT, GROUPED, FLOAT = "product", "grouped", "experts"
BATCHED_REASONS = {
    PRODUCT: "mixed in integers, a kernel an image; applied as one batched product of integers",
    GROUPED: "mixed in integers, a kernel an image; one convolution with a group of its own for each of them",
}
FLOAT_REASON = (
    "depthwise or grouped for any number of images: its kernels would be groups, whose number a file fixes; "
    "--batch N keeps it in int8"
)


def batched_form(layer: CondConvLayer, batch: BatchAxis) -> str:
    """`gemm` or `kernel` for one image, else `product`, `grouped`, or `experts` where it stays in float."""
    if batch.is_one:
        return form_name(layer)
    if layer.settings.group == 1:
        return PRODUCT
    return FLOAT if batch.is_dynamic else GROUPED


def build_for_batch(builder: NodeBuilder, layer: CondConvLayer, batch: BatchAxis) -> LoweredCondConv:
    """Add the layer's nodes, in float arithmetic, for a form that is not `experts`."""
    form = batched_form(layer, batch)
    if form == PRODUCT:
        return _product(builder, layer, batch)
    return _grouped(builder, layer, batch) if form == GROUPED else build_condconv_int8(builder, layer)


def _product(builder: NodeBuilder, layer: CondConvLayer, batch: BatchAxis) -> LoweredCondConv:
    # Rows of the gathered taps: kernel row, kernel column, input channel.
    experts = np.ascontiguousarray(layer.experts_eoihw.transpose(0, 1, 3, 4, 2))
    count, out = experts.shape[:2]
    bank_en = np.ascontiguousarray(experts.reshape(count, out, -1).transpose(0, 2, 1).reshape(count, -1))
    rows = bank_en.shape[1] // out
    target = (batch.target, rows, out)
    mixed, kernel = mix(builder, layer, bank_en, (batch.dimension, rows, out), target)
    _, out_height, out_width = layer.output_chw
    positions = out_height * out_width
    gathered = _gathered(builder, layer, batch)
    lines = builder.reshape(gathered, (batch.dimension, positions, rows), (batch.target, positions, rows), "positions")
    product = builder.one("MatMul", [lines, kernel], (batch.dimension, positions, out), role="product")
    summed = product
    if layer.expert_bias_eo is None and has_bias(layer):
        bias = builder.constant(layer.bias_o, "bias")
        summed = builder.one("Add", [product, bias], (batch.dimension, positions, out), role="add_bias")
    last = (out_height, out_width, out)
    shaped = builder.reshape(summed, (batch.dimension, *last), (batch.target, *last), "as_image")
    shape = (batch.dimension, *layer.output_chw)
    attributes = {"perm": (0, 3, 1, 2)}
    image = builder.one("Transpose", [shaped], shape, role="channels_first", attributes=attributes)
    return _result(builder, layer, batch, LoweredCondConv(
        output=image, mixed=mixed, kernel=kernel, product=product, image=image, bias=None,
        kernel_target=target, output_axis=2, experts_eoihw=experts,
    ))  # fmt: skip


def _gathered(builder: NodeBuilder, layer: CondConvLayer, batch: BatchAxis) -> ir.Value:
    """The input with channels last, and behind them those that the other taps see: (batch, height, width, rows)."""
    channels, height, width = layer.input_chw
    out_height, out_width = layer.output_chw[1:]
    settings = layer.settings
    x = builder.one(
        "Transpose", [layer.x], (batch.dimension, height, width, channels), role="channels_last",
        attributes={"perm": (0, 2, 3, 1)},
    )  # fmt: skip
    top, left, bottom, right = settings.pads
    if any(settings.pads):
        height, width = height + top + bottom, width + left + right
        amounts = builder.ints((0, top, left, 0, 0, bottom, right, 0), "pads")
        x = builder.one("Pad", [x, amounts], (batch.dimension, height, width, channels), role="padded")
    taps = []
    for row in range(settings.kernel[0]):
        for column in range(settings.kernel[1]):
            starts = (row * settings.dilations[0], column * settings.dilations[1])
            ends = [
                start + (count - 1) * stride + 1
                for start, count, stride in zip(starts, (out_height, out_width), settings.strides, strict=True)
            ]
            if starts == (0, 0) and tuple(ends) == (height, width) and settings.strides == (1, 1):
                taps.append(x)
                continue
            inputs = [x, builder.ints(starts, "tap_starts"), builder.ints(ends, "tap_ends")]
            inputs += [builder.ints((1, 2), "tap_axes"), builder.ints(settings.strides, "tap_steps")]
            shape = (batch.dimension, out_height, out_width, channels)
            taps.append(builder.one("Slice", inputs, shape, role=f"tap_{row}_{column}"))
    if len(taps) == 1:
        return taps[0]
    shape = (batch.dimension, out_height, out_width, channels * len(taps))
    return builder.one("Concat", taps, shape, role="taps", attributes={"axis": 3})


def _grouped(builder: NodeBuilder, layer: CondConvLayer, batch: BatchAxis) -> LoweredCondConv:
    images = batch.times(1)
    experts, out, per_group, *size = layer.experts_eoihw.shape
    bank_en = np.ascontiguousarray(layer.experts_eoihw.reshape(experts, -1))
    target = (images * out, per_group, *size)
    mixed, kernel = mix(builder, layer, bank_en, target, target)
    channels, height, width = layer.input_chw
    joint = (1, images * channels, height, width)
    inputs = [builder.reshape(layer.x, joint, joint, "images_as_groups"), kernel]
    if layer.expert_bias_eo is None and has_bias(layer):
        inputs.append(builder.constant(np.tile(layer.bias_o, images), "bias"))
    attributes = layer.settings.attributes(group=images * layer.settings.group)
    product = builder.one("Conv", inputs, (1, images * out, *layer.output_chw[1:]), role="conv", attributes=attributes)
    shape = (images, *layer.output_chw)
    image = builder.reshape(product, shape, shape, "groups_as_images")
    return _result(builder, layer, batch, LoweredCondConv(
        output=image, mixed=mixed, kernel=kernel, product=product, image=image, bias=None,
        kernel_target=target, output_axis=0, experts_eoihw=layer.experts_eoihw, copies=images,
    ))  # fmt: skip


def _result(builder: NodeBuilder, layer: CondConvLayer, batch: BatchAxis, lowered: LoweredCondConv) -> LoweredCondConv:
    """With the bias that is mixed, where there is one."""
    if layer.expert_bias_eo is None:
        return lowered
    output = add_bias(builder, lowered.image, layer, batch)
    return lowered.with_bias(output, builder.nodes[-1].inputs[1])
