"""MixConv layers for tests: random and plain ones, their graphs and what they should give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from hypothesis import strategies as st

from condmix.exporters.named.condconv import DOMAIN, ConvSettings
from condmix.models.reference import mixconv_reference
from tests.exporters.conv_cases import ConvCase, pairs, seeds
from tests.exporters.sketch import Sketch


@dataclass(frozen=True, kw_only=True)
class MixConvCase:
    """A random MixConv: branches with their own kernels whose outputs have one size, and its images."""

    branches: tuple[ConvCase, ...]
    weights_oihw: tuple[np.ndarray, ...]
    biases_o: tuple[np.ndarray, ...]
    images_nchw: np.ndarray

    @property
    def channels(self) -> int:
        return sum(branch.in_channels for branch in self.branches)

    @property
    def out_channels(self) -> int:
        return sum(branch.out_channels for branch in self.branches)

    @property
    def output_size(self) -> tuple[int, int]:
        return self.branches[0].output_size

    def add_to(self, sketch: Sketch, x: str, output: str, *, module: str = "block.mix") -> str:
        """A named MixConv node with these numbers, at batch 1."""
        weights = [sketch.constant(f"{output}.weight_{i}", array) for i, array in enumerate(self.weights_oihw)]
        biases = [sketch.constant(f"{output}.bias_{i}", array) for i, array in enumerate(self.biases_o)]
        attributes: dict[str, object] = {
            "split": [branch.in_channels for branch in self.branches],
            "strides": self.branches[0].settings.strides,
        }
        for index, branch in enumerate(self.branches):
            attributes[f"kernel_shape_{index}"] = branch.settings.kernel
            attributes[f"pads_{index}"] = branch.settings.pads
            attributes[f"dilations_{index}"] = branch.settings.dilations
            attributes[f"group_{index}"] = branch.settings.group
        shape = (1, self.out_channels, *self.output_size)
        operator = f"MixConv{len(self.branches)}"
        return sketch.node(
            operator, [x, *weights, *biases], output, module=module, domain=DOMAIN, shape=shape, **attributes
        )

    def sketch(self) -> Sketch:
        """x to y by the named node."""
        sketch = Sketch()
        sketch.input("x", (1, self.channels, *self.branches[0].input_size))
        self.add_to(sketch, "x", "y")
        return sketch

    def expected(self, x_nchw: np.ndarray | None = None) -> np.ndarray:
        """Branch by branch in float64; depthwise branches by the oracle, one channel at a time."""
        x = torch.from_numpy(self.images_nchw if x_nchw is None else x_nchw).double()
        first = 0
        parts: list[torch.Tensor] = []
        for branch, weight in zip(self.branches, self.weights_oihw, strict=True):
            piece = x[:, first : first + branch.in_channels]
            top, left, bottom, right = branch.settings.pads
            double = torch.from_numpy(weight).double()
            if branch.settings.group == branch.in_channels == branch.out_channels and _is_square(branch.settings):
                settings_ = branch.settings
                padded = [(top, bottom, left, right)]
                parts.append(
                    mixconv_reference(
                        piece, [double], stride=settings_.strides[0], pads=padded, dilations=[settings_.dilations[0]]
                    )
                )
            else:
                whole = torch.nn.functional.pad(piece, (left, right, top, bottom))
                settings_ = branch.settings
                parts.append(
                    torch.nn.functional.conv2d(
                        whole, double, None, settings_.strides, 0, settings_.dilations, settings_.group
                    )
                )
            first += branch.in_channels
        bias = np.concatenate(self.biases_o).astype(np.float64)[:, None, None]
        result: np.ndarray = torch.cat(parts, dim=1).numpy() + bias
        return result


def _is_square(settings_: ConvSettings) -> bool:
    return settings_.strides[0] == settings_.strides[1] and settings_.dilations[0] == settings_.dilations[1]


@st.composite
def mixconv_cases(
    draw: st.DrawFn, *, images: int = 1, depthwise: bool = True, branches: tuple[int, int] = (2, 4)
) -> MixConvCase:
    """Branches of uneven channels, kernels, dilations and pads whose outputs have one size all the same."""
    strides = draw(pairs(1, 3))
    input_size = draw(pairs(1, 9))
    shapes = [(draw(pairs(1, 5)), draw(pairs(1, 2))) for _ in range(draw(st.integers(*branches)))]
    extents = [[(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)] for kernel, dilations in shapes]
    # No branch can see fewer positions than its pads of zero give it.
    least = [
        max(-(-(input_size[axis] - min(item[axis] for item in extents) + 1) // strides[axis]), 1) for axis in (0, 1)
    ]
    out = [count + draw(st.integers(0, 2)) for count in least]
    cases: list[ConvCase] = []
    for (kernel, dilations), extents_hw in zip(shapes, extents, strict=True):
        leading, trailing = [0, 0], [0, 0]
        for axis in (0, 1):
            needed = (out[axis] - 1) * strides[axis] + extents_hw[axis] - input_size[axis]
            # Up to stride - 1 rows at the end may stay unseen.
            total = draw(st.integers(max(needed, 0), needed + strides[axis] - 1))
            leading[axis] = draw(st.integers(0, total))
            trailing[axis] = total - leading[axis]
        group = draw(st.integers(1, 3))
        if depthwise:
            in_channels = out_channels = group
        else:
            in_channels, out_channels = group * draw(st.integers(1, 3)), group * draw(st.integers(1, 3))
        settings_ = ConvSettings(
            kernel=kernel, strides=strides, pads=(*leading, *trailing), dilations=dilations, group=group
        )
        cases.append(
            ConvCase(in_channels=in_channels, out_channels=out_channels, settings=settings_, input_size=input_size)
        )
    return _with_numbers(cases, images, draw(seeds))


def _with_numbers(cases: Sequence[ConvCase], images: int, seed: int) -> MixConvCase:
    generator = np.random.default_rng(seed)
    shape = (images, sum(case.in_channels for case in cases), *cases[0].input_size)
    return MixConvCase(
        branches=tuple(cases),
        weights_oihw=tuple(case.weights(generator) for case in cases),
        biases_o=tuple(generator.standard_normal(case.out_channels).astype(np.float32) for case in cases),
        images_nchw=generator.standard_normal(shape).astype(np.float32),
    )


def mixconv_case(
    *,
    in_channels: Sequence[int] = (3, 2, 4),
    out_channels: Sequence[int] | None = None,
    kernels: Sequence[int] = (3, 5, 7),
    groups: Sequence[int] | None = None,
    stride: int = 1,
    input_size: tuple[int, int] = (9, 8),
    images: int = 2,
    seed: int = 0,
) -> MixConvCase:
    """A plain MixConv padded symmetrically; depthwise unless told."""
    cases = [
        ConvCase(
            in_channels=inputs,
            out_channels=outputs,
            settings=ConvSettings(
                kernel=(kernel, kernel),
                strides=(stride, stride),
                pads=(kernel // 2,) * 4,  # type: ignore[arg-type]
                dilations=(1, 1),
                group=group,
            ),
            input_size=input_size,
        )
        for inputs, outputs, kernel, group in zip(
            in_channels, out_channels or in_channels, kernels, groups or in_channels, strict=True
        )
    ]
    return _with_numbers(cases, images, seed)
