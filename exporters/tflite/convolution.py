"""Convolutions with stored weights: padding, groups, depthwise kernels too large for the delegate's microkernels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from condmix.exporters.named.condconv import ConvSettings
from condmix.exporters.tflite.bands import MOST_TAPS, bands_of
from condmix.exporters.tflite.emitter import Emitter
from condmix.exporters.tflite.model import Tensor
from condmix.exporters.tflite.schema import Activation, Operator, OptionsUnion, Padding


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


@dataclass(frozen=True, kw_only=True)
class _Extent:
    """One axis of a convolution: what of the input its taps see."""

    length: int
    before: int
    reach: int
    """From the first output's place to the last one's."""
    dilation: int

    @classmethod
    def of(cls, length: int, settings: ConvSettings, axis: int, pads: tuple[int, int]) -> _Extent:
        """The axis 0 (height) or 1 (width) of an input of that length."""
        stride, dilation = settings.strides[axis], settings.dilations[axis]
        steps = (length + sum(pads) - (settings.kernel[axis] - 1) * dilation - 1) // stride
        return cls(length=length, before=pads[0], reach=steps * stride + 1, dilation=dilation)

    def _span(self, taps: range) -> tuple[int, int]:
        begin = taps[0] * self.dilation - self.before
        return begin, taps[-1] * self.dilation - self.before + self.reach

    def meets(self, taps: range) -> bool:
        """Whether the taps see anything but padding."""
        begin, end = self._span(taps)
        return min(self.length, end) > max(0, begin)

    def seen(self, taps: range) -> tuple[tuple[int, int], tuple[int, int]]:
        """Where the taps begin and end to see the input, and the padding before and behind that."""
        begin, end = self._span(taps)
        inside = (max(0, begin), min(self.length, end))
        return inside, (max(0, -begin), max(0, end - self.length))


def _dilation(taps: range, own: int) -> int:
    return taps.step * own if len(taps) > 1 else own


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
    top, left, bottom, right = settings.pads
    extents = (_Extent.of(x.shape[1], settings, 0, (top, bottom)), _Extent.of(x.shape[2], settings, 1, (left, right)))
    bands = [
        band for band in bands_of(settings.kernel)
        if all(extent.meets(taps) for extent, taps in zip(extents, band, strict=True))
    ]  # fmt: skip
    total: Tensor | None = None
    for index, (rows, columns) in enumerate(bands):
        first = rows[0] if len(columns) == settings.kernel[1] else f"{rows[0]}_{columns[0]}"
        seen, around = zip(
            *(extent.seen(taps) for extent, taps in zip(extents, (rows, columns), strict=True)), strict=True
        )
        piece = emitter.slice(
            x,
            (0, seen[0][0], seen[1][0], first_channel),
            (x.shape[0], seen[0][1] - seen[0][0], seen[1][1] - seen[1][0], last_channel - first_channel),
            f"{role}_rows_{first}",
        )
        source = emitter.pad(piece, [(0, 0), *around, (0, 0)], f"{role}_pad_{first}")
        taps = kernel_hwc[None, rows.start : rows.stop : rows.step, columns.start : columns.stop : columns.step]
        filters = emitter.constant(taps.astype(np.float32), f"{role}_weight_{first}")
        filters.whole = kernel_hwc[None]
        own_bias = bias_o if index == 0 else np.zeros_like(bias_o)
        bias = emitter.constant(own_bias.astype(np.float32), f"{role}_bias_{first}")
        band = ConvSettings(
            kernel=(len(rows), len(columns)),
            strides=settings.strides,
            pads=(0, 0, 0, 0),
            dilations=(_dilation(rows, settings.dilations[0]), _dilation(columns, settings.dilations[1])),
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
