"""CondConv in TFLite: the kernel is mixed by FULLY_CONNECTED and applied by the operator that stays in the delegate.

Expert banks hold kernel elements in the order in which the application reads them, so that what is mixed needs only a
RESHAPE. How a bank is laid out is said in `mixing`.
"""

from __future__ import annotations

import numpy as np

from condmix.exporters.named.condconv import CondConvLayer, ConvSettings
from condmix.exporters.tflite.convolution import convolution, depthwise_2d, out_size, padded
from condmix.exporters.tflite.emitter import Emitter
from condmix.exporters.tflite.late_mixing import awaiting
from condmix.exporters.tflite.mixing import mix
from condmix.exporters.tflite.model import Tensor
from condmix.exporters.tflite.schema import Operator, Padding


def condconv(
    emitter: Emitter, x: Tensor, routing: Tensor, layer: CondConvLayer, *, form: str = "auto", bank: str = "float32"
) -> Tensor:
    """The layer's output (batch, height, width, out).

    `bank` is float32, float16, int8, or normalised: float32, but scaled as int8 banks are.
    """
    if form == "experts":
        return _experts(emitter, x, routing, layer)
    if layer.is_depthwise:
        return _depthwise(emitter, x, routing, layer, bank)
    return _dense(emitter, x, awaiting(emitter, routing, x), layer, bank)


def _norms(layer: CondConvLayer, bank: str) -> np.ndarray | None:
    """Per output channel the largest element of any expert: divided out, one int8 scale serves the whole bank."""
    if bank not in ("int8", "normalised"):
        return None
    largest = np.abs(layer.experts_eoihw).max(axis=(0, 2, 3, 4))
    return np.where(largest > 0, largest, 1.0)


def _finish(emitter: Emitter, y: Tensor, routing: Tensor, layer: CondConvLayer, norms: np.ndarray | None) -> Tensor:
    """Undo the normalisation and add the biases."""
    y = _rescaled(emitter, y, norms)
    if layer.bias_o.any():
        y = emitter.binary(Operator.ADD, y, emitter.constant(layer.bias_o.astype(np.float32), "bias"), "add_bias")
    return _add_expert_bias(emitter, y, routing, layer)


def _rescaled(emitter: Emitter, y: Tensor, norms: np.ndarray | None) -> Tensor:
    if norms is None:
        return y
    return emitter.binary(Operator.MUL, y, emitter.constant(norms.astype(np.float32), "channel_scale"), "rescale")


def _add_expert_bias(emitter: Emitter, y: Tensor, routing: Tensor, layer: CondConvLayer) -> Tensor:
    if layer.expert_bias_eo is not None:
        rows = mix(emitter, routing, layer.expert_bias_eo, "float32", "mix_bias")
        per_image = emitter.reshape(rows, (y.shape[0], 1, 1, layer.expert_bias_eo.shape[1]))
        y = emitter.binary(Operator.ADD, y, per_image, "add_expert_bias")
    return y


def _dense(emitter: Emitter, x: Tensor, routing: Tensor, layer: CondConvLayer, bank: str) -> Tensor:
    """Row im2col and BATCH_MATMUL: per kernel row, the columns of its taps side by side times that row's weights."""
    norms = _norms(layer, bank)
    experts = layer.experts_eoihw if norms is None else layer.experts_eoihw / norms[None, :, None, None, None]
    count, out_channels, in_per_group, kernel_height, kernel_width = experts.shape
    settings, group = layer.settings, layer.settings.group
    images, (out_height, out_width) = x.shape[0], layer.output_chw[1:]
    top, left, bottom, right = settings.pads
    source = emitter.pad(x, [(0, 0), (top, bottom), (left, right), (0, 0)])
    per_group = out_channels // group
    # (experts, group, kernel row, out in group, kernel column, in): each row's slab is contiguous.
    slabs = experts.reshape(count, group, per_group, in_per_group, kernel_height, kernel_width)
    slabs = slabs.transpose(0, 1, 4, 2, 5, 3)
    inner = kernel_width * in_per_group
    mixed = mix(emitter, routing, slabs.reshape(count, -1), bank)
    kernels = emitter.reshape(mixed, (images, group * kernel_height, per_group, inner), "kernels")
    positions = out_height * out_width
    parts: list[Tensor] = []
    for index in range(group):
        total: Tensor | None = None
        for row in range(kernel_height):
            columns = [
                _tap(emitter, source, layer, row, column, index * in_per_group, in_per_group)
                for column in range(kernel_width)
            ]
            gathered = emitter.concat(columns, 3, f"row_{row}")
            flat = emitter.reshape(gathered, (images, positions, inner), f"row_{row}_matrix")
            slab = emitter.slice(
                kernels, (0, index * kernel_height + row, 0, 0), (images, 1, per_group, inner), f"kernel_row_{row}"
            )
            weight = emitter.reshape(slab, (images, per_group, inner), f"kernel_row_{row}_matrix")
            product = emitter.batch_matmul(flat, weight, f"row_{row}_product", transpose_right=True)
            total = product if total is None else emitter.binary(Operator.ADD, total, product, f"sum_row_{row}")
        assert total is not None
        parts.append(total)
    joined = emitter.concat(parts, 2, "groups")
    y = emitter.reshape(joined, (images, out_height, out_width, out_channels), "as_image")
    return _finish(emitter, y, routing, layer, norms)


def _tap(
    emitter: Emitter, source: Tensor, layer: CondConvLayer, row: int, column: int, channel: int, channels: int
) -> Tensor:
    """The padded input as one tap sees it at every output position, for one group's channels."""
    settings = layer.settings
    out_height, out_width = layer.output_chw[1:]
    starts = (row * settings.dilations[0], column * settings.dilations[1])
    seen = [(count - 1) * stride + 1 for count, stride in zip((out_height, out_width), settings.strides, strict=True)]
    piece = emitter.slice(source, (0, *starts, channel), (source.shape[0], *seen, channels), f"tap_{row}_{column}")
    if settings.strides == (1, 1):
        return piece
    # Every s-th position: a 1x1 depthwise kernel of ones keeps a stride inside the delegate.
    ones = emitter.constant(np.ones((1, 1, 1, channels), dtype=np.float32), "every_position")
    zeros = emitter.constant(np.zeros(channels, dtype=np.float32), "no_bias")
    step = ConvSettings(kernel=(1, 1), strides=settings.strides, pads=(0, 0, 0, 0), dilations=(1, 1), group=channels)
    return depthwise_2d(emitter, piece, ones, zeros, step, Padding.VALID, f"stride_{row}_{column}")


def _depthwise(emitter: Emitter, x: Tensor, routing: Tensor, layer: CondConvLayer, bank: str) -> Tensor:
    """DEPTHWISE_CONV_2D with a computed kernel, one image at a time: the builtin kernel does it best.

    The kernel is smaller than the image: it is what gets the channels' scales back, and the operator adds the bias.
    """
    norms = _norms(layer, bank)
    experts = layer.experts_eoihw if norms is None else layer.experts_eoihw / norms[None, :, None, None, None]
    count, channels = experts.shape[:2]
    kernel = (1, *layer.settings.kernel, channels)
    mixed = mix(emitter, routing, experts[:, :, 0].transpose(0, 2, 3, 1).reshape(count, -1), bank)
    source, padding = padded(emitter, x, layer.settings)
    bias = emitter.constant(layer.bias_o.astype(np.float32), "bias")
    images: list[Tensor] = []
    for image in range(x.shape[0]):
        own_x = emitter.slice(source, (image, 0, 0, 0), (1, *source.shape[1:]), f"image_{image}")
        row = mixed
        if x.shape[0] > 1:
            row = emitter.slice(mixed, (image, 0), (1, mixed.shape[1]), f"kernel_{image}_row")
        filters = _rescaled(emitter, emitter.reshape(row, kernel, f"kernel_{image}"), norms)
        images.append(depthwise_2d(emitter, own_x, filters, bias, layer.settings, padding, f"image_{image}_conv"))
    joined = emitter.concat(images, 0, "images")
    assert joined.shape[1:3] == out_size(source, layer.settings, padding)
    return _add_expert_bias(emitter, joined, routing, layer)


def _experts(emitter: Emitter, x: Tensor, routing: Tensor, layer: CondConvLayer) -> Tensor:
    """Every expert a static convolution, results weighted: for accelerators that take no computed weights."""
    images = x.shape[0]
    total: Tensor | None = None
    zeros = np.zeros(layer.output_chw[0], dtype=np.float32)
    for expert in range(layer.experts):
        part = convolution(emitter, x, layer.experts_eoihw[expert], zeros, layer.settings, f"conv_expert_{expert}")
        weight = emitter.slice(routing, (0, expert), (images, 1), f"routing_{expert}")
        scaled = emitter.binary(
            Operator.MUL, part, emitter.reshape(weight, (images, 1, 1, 1), f"routing_{expert}_image"), f"weigh_{expert}"
        )
        total = scaled if total is None else emitter.binary(Operator.ADD, total, scaled, f"sum_expert_{expert}")
    assert total is not None
    return _finish(emitter, total, routing, layer, None)
