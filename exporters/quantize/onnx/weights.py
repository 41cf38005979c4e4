"""Weights and biases as integers."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

from condmix.exporters.errors import CalibrationError
from condmix.exporters.quantize.onnx.condconv import MixedKernel
from condmix.exporters.quantize.parameters import INT7_SYMMETRIC, INT8_SYMMETRIC, Grid, channel_scales, stored
from condmix.exporters.quantize.ranges import Ranges

LARGEST_BIAS = 2.0**30
"""Of a stored bias: the sum it is added to needs room in 32 bits as well."""
ROWS_AT_ONCE = 16
ON_GRID = 1e-3
"""Of a step: float32 weights that are multiples of their scale are no farther from them."""


class WeightGrid(enum.Enum):
    """Which integers the weights of an output channel may be."""

    EIGHT_BITS = "eight bits"
    SAFE_PAIRS = "safe pairs"
    """Eight bits, but no two neighbours of one sign sum to more than PAIR_LIMIT. x86 without VNNI multiplies them with
    two activations and adds the products in 16 bits (vpmaddubsw); the sum then fits: 255 * 128 < 2**15."""


PAIR_LIMIT = 128


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredWeight:
    """A weight and a bias on their grids; a scale for each output channel."""

    weight: np.ndarray
    scale_o: np.ndarray
    bias_o: np.ndarray | None
    """int32, in units of the input's scale times the weight's."""


def stored_weight(
    weight: np.ndarray, axis: int, bias_o: np.ndarray | None, input_scale: float, grid: WeightGrid
) -> StoredWeight:
    """The weight and bias nearest to the given ones. axis: of the output channels, 0 of a Conv, 1 of a Gemm."""
    scale_o = channel_scales(weight, axis=axis, grid=INT8_SYMMETRIC)
    if bias_o is not None:
        scale_o = _with_room(scale_o, weight, axis, bias_o, input_scale)
    if grid is WeightGrid.SAFE_PAIRS:
        scale_o = safe_scales(weight, axis, scale_o)
    return StoredWeight(
        weight=_stored(weight, axis, scale_o),
        scale_o=scale_o,
        bias_o=None if bias_o is None else stored_bias(bias_o, input_scale, scale_o),
    )


def _stored(weight: np.ndarray, axis: int, scale_o: np.ndarray) -> np.ndarray:
    shape = [1] * weight.ndim
    shape[axis] = -1
    integers: np.ndarray = stored(weight, scale_o.reshape(shape), 0, INT8_SYMMETRIC)
    return integers


def safe_scales(weight: np.ndarray, axis: int, scale_o: np.ndarray) -> np.ndarray:
    """The given scales, larger where neighbouring weights would overflow 16 bits."""
    scale_o = scale_o.copy()
    coarse = channel_scales(weight, axis=axis, grid=INT7_SYMMETRIC)
    # Weights that adaptive rounding has put on 7 bits stay there.
    on_grid = _is_on_grid(weight, axis, coarse)
    scale_o = np.where(on_grid, np.maximum(coarse, scale_o), scale_o)
    while True:
        largest_o = largest_pair(_stored(weight, axis, scale_o), axis)
        over = largest_o > PAIR_LIMIT
        if not over.any():
            return scale_o.astype(np.float32)
        factor = np.where(over, np.maximum(largest_o / PAIR_LIMIT, 1.0 + 1 / 256), 1.0)
        scale_o = np.where(over, np.minimum(scale_o * factor, np.maximum(coarse, scale_o)), scale_o).astype(np.float32)


def _is_on_grid(weight: np.ndarray, axis: int, scale_o: np.ndarray) -> np.ndarray:
    rows = np.moveaxis(weight, axis, 0).reshape(len(scale_o), -1) / scale_o[:, None]
    near: np.ndarray = np.abs(rows - np.rint(rows)).max(axis=1, initial=0.0) < ON_GRID
    return near


def largest_pair(weight: np.ndarray, axis: int) -> np.ndarray:
    """Of each output channel: the largest sum of two neighbours of one sign, in the order in which they are added."""
    if axis == 0 and weight.ndim == 4:
        # Taps first, then channels: rows of the image with channels last.
        rows = weight.transpose(0, 2, 3, 1).reshape(len(weight), -1)
    else:
        rows = np.moveaxis(weight, axis, 0).reshape(weight.shape[axis], -1)
    if rows.shape[1] % 2:
        rows = np.pad(rows, ((0, 0), (0, 1)))
    pairs = rows.astype(np.int32).reshape(len(rows), -1, 2)
    ups = np.maximum(pairs, 0).sum(axis=2).max(axis=1, initial=0)
    downs = np.maximum(-pairs, 0).sum(axis=2).max(axis=1, initial=0)
    largest: np.ndarray = np.maximum(ups, downs)
    return largest


def _with_room(
    scale_o: np.ndarray, weight: np.ndarray, axis: int, bias_o: np.ndarray, input_scale: float
) -> np.ndarray:
    """Scales under which every bias fits; a channel without weights takes the scale that its bias needs."""
    others = tuple(index for index in range(weight.ndim) if index != axis % weight.ndim)
    least = np.abs(bias_o) / (np.float64(input_scale) * LARGEST_BIAS)
    empty = ~weight.any(axis=others) & (bias_o != 0)
    scales: np.ndarray = np.where(empty, least, np.maximum(scale_o, least)).astype(np.float32)
    return scales


def stored_bias(bias_o: np.ndarray, input_scale: float, scale_o: np.ndarray) -> np.ndarray:
    """As int32. ONNX QLinearConv: its scale is the input's times the weight's, its zero point 0."""
    exact = bias_o.astype(np.float64) / (np.float64(input_scale) * scale_o.astype(np.float64))
    return np.clip(np.rint(exact), -(2**31) + 1, 2**31 - 1).astype(np.int32)


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredBank:
    """Experts on one grid, each output channel divided by the largest weight its kernel was seen to take."""

    bank_en: np.ndarray
    bank_scale: float
    kernel_step: float
    """The mixed kernel, so divided, is rounded to multiples of this."""
    scale_o: np.ndarray
    """A step of the mixed kernel in each output channel, in real numbers."""
    grid: Grid
    """Of the mixed kernel."""


def stored_bank(kernel: MixedKernel, ranges: Ranges, grid: Grid) -> StoredBank:
    """One scale for the whole bank and one for the mixed kernel, as products of integers want it.

    Raises CalibrationError when the ranges hold no routing of this layer.
    """
    rows = ranges.routing.get(kernel.routing)
    if rows is None or rows.ndim != 2 or rows.shape[1] != len(kernel.experts_eoihw) or not len(rows):
        message = f"no routing is known for '{kernel.routing}': calibrate this network (again)"
        raise CalibrationError(message)
    largest_o = _largest_mixed(kernel, rows)
    divisor_o = np.where(largest_o > 0, largest_o, 1.0)
    shape = (1, -1) + (1,) * (kernel.experts_eoihw.ndim - 2)
    divided = kernel.experts_eoihw / divisor_o.reshape(shape)
    bank_scale = float(channel_scales(divided.reshape(1, -1), grid=INT8_SYMMETRIC)[0])
    elements = stored(_in_bank_order(kernel, divided), bank_scale, 0, INT8_SYMMETRIC)
    step = float(np.float32(1.0 / grid.high))
    return StoredBank(
        bank_en=elements,
        bank_scale=bank_scale,
        kernel_step=step,
        scale_o=(divisor_o * step).astype(np.float32),
        grid=grid,
    )


def _largest_mixed(kernel: MixedKernel, rows: np.ndarray) -> np.ndarray:
    """Of each output channel, over all images: the largest magnitude in the mixed kernel."""
    experts, out = kernel.experts_eoihw.shape[:2]
    by_expert = kernel.experts_eoihw.reshape(experts, -1).astype(np.float32)
    largest = np.zeros(out, dtype=np.float32)
    for start in range(0, len(rows), ROWS_AT_ONCE):
        mixed = rows[start : start + ROWS_AT_ONCE].astype(np.float32) @ by_expert
        np.maximum(largest, np.abs(mixed).reshape(len(mixed), out, -1).max(axis=(0, 2)), out=largest)
    return largest


def _in_bank_order(kernel: MixedKernel, experts_eoihw: np.ndarray) -> np.ndarray:
    """Rows of the bank, their elements as in the kernel: output channels first, or last."""
    experts, out = experts_eoihw.shape[:2]
    rows = experts_eoihw.reshape(experts, out, -1)
    # Applied as a matrix, or as one an image: a row for each input.
    return (rows if kernel.output_axis == 0 else rows.transpose(0, 2, 1)).reshape(experts, -1)
