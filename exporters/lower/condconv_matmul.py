"""CondConv as a batched MatMul: [batch, out, in] x [batch, in, positions]. Any batch, no group attribute.

A 1x1 layer is the product itself (a stride takes every s-th position first). A larger kernel gathers its taps as rows:
padding once, one strided Slice a tap, Concat; `experts` would compute every expert's convolution instead.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.lower.form import CondConvForm, FormRefusal
from condmix.exporters.lower.kernel_mixing import add_bias
from condmix.exporters.named.condconv import CondConvLayer


def refuse(layer: CondConvLayer, batch: BatchAxis) -> FormRefusal | None:
    """A depthwise layer would be a product of one row a channel."""
    del batch
    if layer.is_depthwise:
        return FormRefusal(reason="`matmul` needs a dense kernel: this layer is depthwise (use experts or grouped)")
    return None


def build(builder: NodeBuilder, layer: CondConvLayer, batch: BatchAxis) -> ir.Value:
    """The layer's output, shape (batch, out, height, width)."""
    group = layer.settings.group
    out_channels, in_per_group, kernel_height, kernel_width = layer.experts_eoihw.shape[1:]
    rows = in_per_group * kernel_height * kernel_width
    _, out_height, out_width = layer.output_chw
    positions = out_height * out_width
    # Within a group the taps come first, as the gathered rows do: (experts, out, height * width, in).
    bank = layer.experts_eoihw.transpose(0, 1, 3, 4, 2).reshape(layer.experts, -1)
    mixed = builder.one(
        "MatMul",
        [layer.routing, builder.constant(np.ascontiguousarray(bank), "experts")],
        (batch.dimension, bank.shape[1]),
        role="mix_kernels",
    )
    per_group = out_channels // group
    lead = (group,) if group > 1 else ()
    kernel = builder.reshape(
        mixed,
        (batch.dimension, *lead, per_group, rows),
        (batch.target, *lead, per_group, rows),
        "kernels",
    )
    columns = _columns(builder, layer, batch, lead, rows, positions)
    product = builder.one("MatMul", [kernel, columns], (batch.dimension, *lead, per_group, positions))
    result = builder.reshape(
        product,
        (batch.dimension, *layer.output_chw),
        (batch.target, *layer.output_chw),
        "as_image",
    )
    return add_bias(builder, result, layer, batch)


def _columns(
    builder: NodeBuilder,
    layer: CondConvLayer,
    batch: BatchAxis,
    lead: tuple[int, ...],
    rows: int,
    positions: int,
) -> ir.Value:
    """The input as (batch, [group,] taps * in / group, positions)."""
    channels, height, width = layer.input_chw
    group = layer.settings.group
    taps = layer.settings.kernel[0] * layer.settings.kernel[1]
    x = layer.x
    top, left, bottom, right = layer.settings.pads
    if any(layer.settings.pads):
        height, width = height + top + bottom, width + left + right
        pads = builder.ints((0, 0, top, left, 0, 0, bottom, right), "pads")
        x = builder.one("Pad", [x, pads], (batch.dimension, channels, height, width))
    slices = [
        _tap(builder, layer, batch, x, (height, width), (row, column))
        for row in range(layer.settings.kernel[0])
        for column in range(layer.settings.kernel[1])
    ]
    out_height, out_width = layer.output_chw[1:]
    if len(slices) == 1:
        gathered = slices[0]
    elif group == 1:
        gathered = builder.one(
            "Concat",
            slices,
            (batch.dimension, channels * taps, out_height, out_width),
            attributes={"axis": 1},
        )
    else:
        per_group = (group, channels // group)
        split = [
            builder.reshape(
                piece,
                (batch.dimension, *per_group, positions),
                (batch.target, *per_group, positions),
                "tap_in_groups",
            )
            for piece in slices
        ]
        gathered = builder.one("Concat", split, (batch.dimension, group, rows, positions), attributes={"axis": 2})
    return builder.reshape(
        gathered, (batch.dimension, *lead, rows, positions), (batch.target, *lead, rows, positions), "columns"
    )


def _tap(
    builder: NodeBuilder,
    layer: CondConvLayer,
    batch: BatchAxis,
    x: ir.Value,
    size: tuple[int, int],
    tap: tuple[int, int],
) -> ir.Value:
    """The padded input as seen by one tap of the kernel, at every output position."""
    out_height, out_width = layer.output_chw[1:]
    strides, dilations = layer.settings.strides, layer.settings.dilations
    starts = [position * dilation for position, dilation in zip(tap, dilations, strict=True)]
    ends = [
        start + (count - 1) * stride + 1
        for start, count, stride in zip(starts, (out_height, out_width), strides, strict=True)
    ]
    if starts == [0, 0] and ends == list(size) and strides == (1, 1):
        return x
    inputs = [
        x,
        builder.ints(starts, "tap_starts"),
        builder.ints(ends, "tap_ends"),
        builder.ints((2, 3), "tap_axes"),
        builder.ints(strides, "tap_steps"),
    ]
    shape = (batch.dimension, layer.input_chw[0], out_height, out_width)
    return builder.one("Slice", inputs, shape, role=f"tap_{tap[0]}_{tap[1]}")


FORM = CondConvForm(name="matmul", refuse=refuse, build=build)
