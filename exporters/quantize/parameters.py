"""Scales and zero points: real = scale * (stored - zero_point). The arithmetic of rounding, in one place.

Weights are symmetric, a scale for each output channel (ONNX QuantizeLinear with axis, TFLite's int8 quantization
specification); activations have one scale and one zero point a tensor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from condmix.exporters.quantize.ranges import Range

SMALLEST_SCALE = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The whole numbers that a stored value may take."""

    low: int
    high: int

    @property
    def steps(self) -> int:
        return self.high - self.low


INT8 = Grid(low=-128, high=127)
UINT8 = Grid(low=0, high=255)
UINT7 = Grid(low=0, high=127)
INT8_SYMMETRIC = Grid(low=-127, high=127)
INT7_SYMMETRIC = Grid(low=-63, high=63)
"""Weights of 7 bits: pairs of products with 8-bit activations then fit the 16 bits that AVX2 adds them in."""
INT16_SYMMETRIC = Grid(low=-32767, high=32767)


@dataclass(frozen=True, kw_only=True)
class Affine:
    """One scale and zero point on a grid. The scale is a float32 number: both runtimes store it so."""

    scale: float
    zero_point: int
    grid: Grid

    @property
    def range(self) -> Range:
        """The real numbers that can be told apart."""
        return Range.around(
            (self.grid.low - self.zero_point) * self.scale, (self.grid.high - self.zero_point) * self.scale
        )


def asymmetric(span: Range, grid: Grid = INT8) -> Affine:
    """The finest scale whose grid covers the range, with zero exactly on it."""
    scale = _scale((span.high - span.low) / grid.steps)
    zero_point = round(grid.low - span.low / scale)
    return Affine(scale=scale, zero_point=int(np.clip(zero_point, grid.low, grid.high)), grid=grid)


def symmetric(largest: float, grid: Grid = INT8_SYMMETRIC) -> Affine:
    """The finest scale with zero point 0 that covers both signs."""
    return Affine(scale=_scale(largest / grid.high), zero_point=0, grid=grid)


def channel_scales(weight: np.ndarray, axis: int = 0, grid: Grid = INT8_SYMMETRIC) -> np.ndarray:
    """A symmetric scale for each slice along `axis`, float32; a slice of zeros gets a scale of 1."""
    others = tuple(index for index in range(weight.ndim) if index != axis % weight.ndim)
    largest = np.abs(weight).max(axis=others, initial=0.0)
    scales = np.where(largest > 0, np.maximum(largest / grid.high, SMALLEST_SCALE), 1.0)
    return scales.astype(np.float32)


def stored(array: np.ndarray, scale: float | np.ndarray, zero_point: int, grid: Grid) -> np.ndarray:
    """The numbers on the grid nearest to `array`, half to even as both runtimes do; of the grid's natural type.

    scale: one number, or an array that broadcasts against `array`.
    """
    exact = array.astype(np.float64) / np.asarray(scale, dtype=np.float64) + zero_point
    return np.clip(np.rint(exact), grid.low, grid.high).astype(_dtype(grid))


def _scale(exact: float) -> float:
    return float(np.float32(max(exact, SMALLEST_SCALE))) if exact > 0 else 1.0


def _dtype(grid: Grid) -> np.dtype[np.integer]:
    if grid.low >= 0:
        return np.dtype(np.uint8)
    return np.dtype(np.int8) if grid.high <= INT8.high else np.dtype(np.int16)
