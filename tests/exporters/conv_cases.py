"""Random convolutions for property tests: kernels odd and even, strides, dilations, groups, pads on all four sides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from condmix.exporters.named.condconv import ConvSettings

exact_rule = settings(deadline=None, derandomize=True, max_examples=min(30, settings.default.max_examples))
"""The profile of all property tests of the exporters: the same examples on every run, a second or less each test.
`make check` asks for fewer of them (tests/conftest.py), `make test` for all."""

seeds = st.integers(0, 2**32 - 1)


@dataclass(frozen=True, kw_only=True)
class ConvCase:
    """A random two-dimensional convolution: sizes only. `in_channels` and `out_channels` are of all groups."""

    in_channels: int
    out_channels: int
    settings: ConvSettings
    input_size: tuple[int, int]

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        return (self.out_channels, self.in_channels // self.settings.group, *self.settings.kernel)

    @property
    def output_size(self) -> tuple[int, int]:
        return output_size(self.settings, self.input_size)

    def weights(self, generator: np.random.Generator, *lead: int) -> np.ndarray:
        """float32 of shape (*lead, out, in / group, height, width), such that outputs are of size one."""
        fan_in = int(np.prod(self.weight_shape[1:]))
        values = generator.standard_normal((*lead, *self.weight_shape)) / np.sqrt(fan_in)
        return values.astype(np.float32)

    def images(self, generator: np.random.Generator, count: int = 1) -> np.ndarray:
        return generator.standard_normal((count, self.in_channels, *self.input_size)).astype(np.float32)


def output_size(settings: ConvSettings, input_size: tuple[int, int]) -> tuple[int, int]:
    """Height and width behind a convolution (ONNX operator spec, Conv)."""
    height, width = (
        (size + settings.pads[axis] + settings.pads[axis + 2] - extent(settings, axis)) // settings.strides[axis] + 1
        for axis, size in enumerate(input_size)
    )
    return height, width


def extent(settings: ConvSettings, axis: int) -> int:
    """From the first tap of the kernel to the last."""
    return (settings.kernel[axis] - 1) * settings.dilations[axis] + 1


def pairs(low: int, high: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(low, high), st.integers(low, high))


@st.composite
def conv_cases(draw: st.DrawFn, *, depthwise: bool | None = None, kernels: tuple[int, int] = (1, 5)) -> ConvCase:
    """Kernels odd and even, strides, dilations, groups, pads that differ on all four sides, odd sizes and channels."""
    if depthwise:
        group = draw(st.integers(2, 7))
        in_channels, out_channels = group, group * draw(st.integers(1, 2))
    else:
        group = draw(st.integers(1, 3))
        in_channels = group * draw(st.integers(1 if depthwise is None else 2, 4))
        out_channels = group * draw(st.integers(1, 4))
    top, left, bottom, right = (draw(st.integers(0, 3)) for _ in range(4))
    settings_ = ConvSettings(
        kernel=draw(pairs(*kernels)),
        strides=draw(pairs(1, 3)),
        pads=(top, left, bottom, right),
        dilations=draw(pairs(1, 2)),
        group=group,
    )
    height, width = (
        max(extent(settings_, axis) - settings_.pads[axis] - settings_.pads[axis + 2], 1) + draw(st.integers(0, 6))
        for axis in (0, 1)
    )
    return ConvCase(in_channels=in_channels, out_channels=out_channels, settings=settings_, input_size=(height, width))


def conv_case(
    *,
    in_channels: int = 4,
    out_channels: int = 6,
    kernel: tuple[int, int] = (3, 3),
    group: int = 1,
    input_size: tuple[int, int] = (7, 5),
) -> ConvCase:
    """One plain convolution, padded symmetrically."""
    top, left = kernel[0] // 2, kernel[1] // 2
    settings_ = ConvSettings(kernel=kernel, strides=(1, 1), pads=(top, left, top, left), dilations=(1, 1), group=group)
    return ConvCase(in_channels=in_channels, out_channels=out_channels, settings=settings_, input_size=input_size)
