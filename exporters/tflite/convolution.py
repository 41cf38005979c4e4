"""Convolutions with stored weights: padding, groups, depthwise kernels too large for the delegate's microkernels."""

from __future__ import annotations

import numpy as np

from condmix.exporters.named.condconv import ConvSettings
from condmix.exporters.tflite.emitter import Emitter
from condmix.exporters.tflite.model import Tensor
from condmix.exporters.tflite.schema import Activation, Operator, OptionsUnion, Padding

MOST_TAPS = 25
"""Depthwise microkernels of XNNPACK have at most so many taps; beyond, the operator becomes a slow grouped product."""


def same_pads(length: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """TensorFlow's SAME padding of one axis: before and after."""
    out = -(-length // stride)
    total = max((out - 1) * stride + (kernel - 1) * dilation + 1 - length, 0)
    return total // 2, total - total // 2


def padded(emitter: Emitter, x: Tensor, settings: ConvSettings) -> tuple[Tensor, Padding]:
    """The input and the padding word that together mean the settings' pads; a PAD only where no word does."""
    top, left, bottom, right = settings.pads
    if not any(settings.pads):
        return x, Padding.VALID
    wanted = [
        same_pads(x.shape[1 + axis], settings.kernel[axis], settings.strides[axis], settings.dilations[axis])
        for axis in (0, 1)
    ]
    if wanted == [(top, bottom), (left, right)]:
        return x, Padding.SAME
    return emitter.pad(x, [(0, 0), (top, bottom), (left, right), (0, 0)]), Padding.VALID


def out_size(x: Tensor, settings: ConvSettings, padding: Padding) -> tuple[int, int]:
    """Height and width of the result."""
    sizes = []
    for axis in (0, 1):
        length, stride = x.shape[1 + axis], settings.strides[axis]
        extent = (settings.kernel[axis] - 1) * settings.dilations[axis] + 1
        sizes.append(-(-length // stride) if padding is Padding.SAME else (length - extent) // stride + 1)
    return sizes[0], sizes[1]


def convolution(
    emitter: Emitter,
    x: Tensor,
    weight_oihw: np.ndarray,
    bias_o: np.ndarray,
    settings: ConvSettings,
    role: str = "conv",
    activation: Activation = Activation.NONE,
) -> Tensor:
    """A convolution with stored weights, in the operator that the runtime does best."""
    if settings.group == x.shape[3] and weight_oihw.shape[1] == 1:
        return _depthwise(emitter, x, weight_oihw, bias_o, settings, role, activation)
    source, padding = padded(emitter, x, settings)
    filters = emitter.constant(weight_oihw.transpose(0, 2, 3, 1).astype(np.float32), f"{role}_weight")
    bias = emitter.constant(bias_o.astype(np.float32), f"{role}_bias")
    return conv_2d(emitter, source, filters, bias, settings, padding, role, activation)


def conv_2d(
    emitter: Emitter,
    x: Tensor,
    filters_ohwi: Tensor,
    bias: Tensor,
    settings: ConvSettings,
    padding: Padding,
    role: str,
    activation: Activation = Activation.NONE,
) -> Tensor:
    """CONV_2D; groups follow from the channels of the filters."""
    shape = (x.shape[0], *out_size(x, settings, padding), filters_ohwi.shape[0])
    return emitter.emit(
        Operator.CONV_2D,
        [x, filters_ohwi, bias],
        shape,
        role=role,
        options_type=OptionsUnion.CONV_2D,
        options={
            0: ("int8", int(padding)),
            1: ("int32", settings.strides[1]),
            2: ("int32", settings.strides[0]),
            4: ("int32", settings.dilations[1]),
            5: ("int32", settings.dilations[0]),
        },
        activation=activation,
    )


def depthwise_2d(
    emitter: Emitter,
    x: Tensor,
    filters_1hwc: Tensor,
    bias: Tensor | None,
    settings: ConvSettings,
    padding: Padding,
    role: str,
    activation: Activation = Activation.NONE,
) -> Tensor:
    """DEPTHWISE_CONV_2D with filters (1, height, width, channels x multiplier)."""
    shape = (x.shape[0], *out_size(x, settings, padding), filters_1hwc.shape[3])
    return emitter.emit(
        Operator.DEPTHWISE_CONV_2D,
        [x, filters_1hwc, bias],
        shape,
        role=role,
        options_type=OptionsUnion.DEPTHWISE_CONV_2D,
        options={
            0: ("int8", int(padding)),
            1: ("int32", settings.strides[1]),
            2: ("int32", settings.strides[0]),
            3: ("int32", filters_1hwc.shape[3] // x.shape[3]),
            5: ("int32", settings.dilations[1]),
            6: ("int32", settings.dilations[0]),
        },
        activation=activation,
    )


def _depthwise(
    emitter: Emitter,
    x: Tensor,
    weight_oihw: np.ndarray,
    bias_o: np.ndarray,
    settings: ConvSettings,
    role: str,
    activation: Activation,
) -> Tensor:
    kernel_hwc = weight_oihw[:, 0].transpose(1, 2, 0)
    if needs_bands(settings):
        whole = (0, x.shape[3])
        return row_bands(emitter, x, whole, weight_oihw, bias_o, settings, role, activation)
    source, padding = padded(emitter, x, settings)
    filters = emitter.constant(kernel_hwc[None].astype(np.float32), f"{role}_weight")
    bias = emitter.constant(bias_o.astype(np.float32), f"{role}_bias")
    return depthwise_2d(emitter, source, filters, bias, settings, padding, role, activation)


def needs_bands(settings: ConvSettings) -> bool:
    """Whether a depthwise kernel has more taps than any microkernel, and can be cut into rows that have not."""
    height, width = settings.kernel
    return height * width > MOST_TAPS and width <= MOST_TAPS and settings.strides[0] == settings.strides[1]


def row_bands(
    emitter: Emitter,
    x: Tensor,
    channels: tuple[int, int],
    weight_oihw: np.ndarray,
    bias_o: np.ndarray,
    settings: ConvSettings,
    role: str,
    activation: Activation,
) -> Tensor:
    """A depthwise convolution of channels first to stop of `x`, as the exact sum of bands of kernel rows.

    Each band cuts the rows that its taps see and pads that piece: a PAD right in front of a convolution is free in the
    delegate, one in front of slices is not. A band that sees nothing but padding adds nothing and is left out.
    """
    first_channel, last_channel = channels
    kernel_hwc = weight_oihw[:, 0].transpose(1, 2, 0)
    kernel_width = settings.kernel[1]
    top, left, bottom, right = settings.pads
    height = x.shape[1]
    stride, dilation = settings.strides[0], settings.dilations[0]
    out_height = (height + top + bottom - (settings.kernel[0] - 1) * dilation - 1) // stride + 1
    bands: list[tuple[range, int, int]] = []
    for rows in rows_of_bands(settings.kernel):
        begin = rows[0] * dilation - top
        end = rows[-1] * dilation - top + (out_height - 1) * stride + 1
        if min(height, end) > max(0, begin):
            bands.append((rows, begin, end))
    total: Tensor | None = None
    for index, (rows, begin, end) in enumerate(bands):
        first = rows[0]
        seen = (max(0, begin), min(height, end))
        piece = emitter.slice(
            x,
            (0, seen[0], 0, first_channel),
            (x.shape[0], seen[1] - seen[0], x.shape[2], last_channel - first_channel),
            f"{role}_rows_{first}",
        )
        around = [(0, 0), (max(0, -begin), max(0, end - height)), (left, right), (0, 0)]
        source = emitter.pad(piece, around, f"{role}_pad_{first}")
        taps = kernel_hwc[None, rows.start : rows.stop : rows.step]
        filters = emitter.constant(taps.astype(np.float32), f"{role}_weight_{first}")
        filters.whole = kernel_hwc[None]
        own_bias = bias_o if index == 0 else np.zeros_like(bias_o)
        bias = emitter.constant(own_bias.astype(np.float32), f"{role}_bias_{first}")
        band = ConvSettings(
            kernel=(len(rows), kernel_width),
            strides=settings.strides,
            pads=(0, 0, 0, 0),
            dilations=(rows.step * dilation if len(rows) > 1 else dilation, settings.dilations[1]),
            group=last_channel - first_channel,
        )
        alone = activation if len(bands) == 1 else Activation.NONE
        part = depthwise_2d(emitter, source, filters, bias, band, Padding.VALID, f"{role}_band_{first}", alone)
        if total is None:
            total = part
        else:
            fused = activation if index == len(bands) - 1 else Activation.NONE
            total = emitter.binary(Operator.ADD, total, part, f"{role}_sum_{first}", fused)
    assert total is not None
    return total


def rows_of_bands(kernel: tuple[int, int]) -> tuple[range, ...]:
    """The rows of the kernel that each band has, at most MOST_TAPS taps.

    Where two rows fit, a band is a row and its mirror image: both see all of the padded image, so that nothing is cut
    out of it. Measured on 9x9 and 11x11: 0.90 to 0.95 of the time that neighbouring rows take. Where three fit,
    neighbours are better: rows 0, 3, 6 and two pairs take 1.15 to 1.21 of the time of 7x7 as 3 + 3 + 1.
    """
    height, width = kernel
    step = max(1, MOST_TAPS // width)
    if step != 2 or height % 2 == 0:
        return tuple(range(first, min(first + step, height)) for first in range(0, height, step))
    middle = height // 2
    pairs = tuple(range(row, height - row, height - 1 - 2 * row) for row in range(middle))
    return (*pairs, range(middle, middle + 1))
