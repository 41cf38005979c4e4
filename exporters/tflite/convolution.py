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
    height, width = settings.kernel
    if height * width > MOST_TAPS and width <= MOST_TAPS and settings.strides[0] == settings.strides[1]:
        return _rows(emitter, x, kernel_hwc, bias_o, settings, role, activation)
    source, padding = padded(emitter, x, settings)
    filters = emitter.constant(kernel_hwc[None].astype(np.float32), f"{role}_weight")
    bias = emitter.constant(bias_o.astype(np.float32), f"{role}_bias")
    return depthwise_2d(emitter, source, filters, bias, settings, padding, role, activation)


def _rows(
    emitter: Emitter,
    x: Tensor,
    kernel_hwc: np.ndarray,
    bias_o: np.ndarray,
    settings: ConvSettings,
    role: str,
    activation: Activation,
) -> Tensor:
    """The exact sum of bands of kernel rows, each small enough: convolution is linear in its kernel.

    The input is padded once; a band reads the rows that its taps see.
    """
    top, left, bottom, right = settings.pads
    source = emitter.pad(x, [(0, 0), (top, bottom), (left, right), (0, 0)])
    height, width = settings.kernel
    step = max(1, MOST_TAPS // width)
    out_height, _ = out_size(source, settings, Padding.VALID)
    total: Tensor | None = None
    bands = [(first, min(first + step, height)) for first in range(0, height, step)]
    for first, last in bands:
        rows = last - first
        seen = (out_height - 1) * settings.strides[0] + (rows - 1) * settings.dilations[0] + 1
        begin = (0, first * settings.dilations[0], 0, 0)
        part_of_x = emitter.slice(source, begin, (source.shape[0], seen, *source.shape[2:]), f"{role}_rows_{first}")
        filters = emitter.constant(kernel_hwc[None, first:last].astype(np.float32), f"{role}_weight_{first}")
        own_bias = bias_o if first == 0 else np.zeros_like(bias_o)
        bias = emitter.constant(own_bias.astype(np.float32), f"{role}_bias_{first}")
        band = ConvSettings(
            kernel=(rows, width),
            strides=settings.strides,
            pads=(0, 0, 0, 0),
            dilations=settings.dilations,
            group=settings.group,
        )
        alone = activation if len(bands) == 1 else Activation.NONE
        part = depthwise_2d(emitter, part_of_x, filters, bias, band, Padding.VALID, f"{role}_band_{first}", alone)
        if total is None:
            total = part
        else:
            fused = activation if last == height else Activation.NONE
            total = emitter.binary(Operator.ADD, total, part, f"{role}_sum_{first}", fused)
    assert total is not None
    return total
