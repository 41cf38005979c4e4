"""MixNet S, M, L and XL (arXiv 1907.09595)."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Literal, NamedTuple

from condmix.models.blocks import InvertedResidualShape
from condmix.models.inverted_residual_network import InvertedResidualNetwork
from condmix.models.kernel_settings import MixSettings
from condmix.models.layers import round_channels

Variant = Literal["s", "m"]


class _Row(NamedTuple):
    """Blocks alike in a row; the first may have a stride and is the only one that changes channels."""

    repeats: int
    kernel_sizes: tuple[int, ...]
    expand_groups: int
    project_groups: int
    stride: int
    expansion: int
    channels: int
    squeeze_ratio: float


# Stages of rows, as in the released code. Rows of one
# stage deepen together. No squeeze-excite comes with ReLU, squeeze-excite with SiLU.
_STAGES: Mapping[Variant, tuple[tuple[_Row, ...], ...]] = {
    "s": (
        (_Row(1, (3,), 1, 1, 1, 1, 16, 0),),
        (_Row(1, (3,), 2, 2, 2, 6, 24, 0), _Row(1, (3,), 2, 2, 1, 3, 24, 0)),
        (_Row(1, (3, 5, 7), 1, 1, 2, 6, 40, 0.5), _Row(3, (3, 5), 2, 2, 1, 6, 40, 0.5)),
        (_Row(1, (3, 5, 7), 1, 2, 2, 6, 80, 0.25), _Row(2, (3, 5), 1, 2, 1, 6, 80, 0.25)),
        (_Row(1, (3, 5, 7), 2, 2, 1, 6, 120, 0.5), _Row(2, (3, 5, 7, 9), 2, 2, 1, 3, 120, 0.5)),
        (_Row(1, (3, 5, 7, 9, 11), 1, 1, 2, 6, 200, 0.5), _Row(2, (3, 5, 7, 9), 1, 2, 1, 6, 200, 0.5)),
    ),
    "m": (
        (_Row(1, (3,), 1, 1, 1, 1, 24, 0),),
        (_Row(1, (3, 5, 7), 2, 2, 2, 6, 32, 0), _Row(1, (3,), 2, 2, 1, 3, 32, 0)),
        (_Row(1, (3, 5, 7, 9), 1, 1, 2, 6, 40, 0.5), _Row(3, (3, 5), 2, 2, 1, 6, 40, 0.5)),
        (_Row(1, (3, 5, 7), 1, 1, 2, 6, 80, 0.25), _Row(3, (3, 5, 7, 9), 2, 2, 1, 6, 80, 0.25)),
        (_Row(1, (3,), 1, 1, 1, 6, 120, 0.5), _Row(3, (3, 5, 7, 9), 2, 2, 1, 3, 120, 0.5)),
        (_Row(1, (3, 5, 7, 9), 1, 1, 2, 6, 200, 0.5), _Row(3, (3, 5, 7, 9), 1, 2, 1, 6, 200, 0.5)),
    ),
}
_STEM: Mapping[Variant, int] = {"s": 16, "m": 24}
_HEAD = 1536


@dataclasses.dataclass(frozen=True, kw_only=True)
class MixNetSettings(MixSettings):
    """Settings of MixNet. `variant` is the block table: L and XL are M with other width and depth; `depth`
    multiplies the blocks of each stage, rounded to the nearest. The head has 1536 channels at any width."""

    variant: Variant = "s"
    dropout: float = 0.2
    depth: float = 1.0

    def problems(self) -> list[str]:
        """Adds: a positive depth."""
        found = super().problems()
        if not 0 < self.depth < math.inf:
            found.append(f"depth is {self.depth}, expected a finite number above 0")
        return found


def mixnet(settings: MixNetSettings) -> InvertedResidualNetwork:
    """MixNet as the settings say; with static kernels the depthwise layers are 3x3, the 1x1 layers dense."""
    mixed = settings.kernels == "mixconv"
    shapes: list[InvertedResidualShape] = []
    channels = round_channels(_STEM[settings.variant] * settings.width)
    for stage in _STAGES[settings.variant]:
        repeats = _deepened([row.repeats for row in stage], settings.depth)
        for row, row_repeats in zip(stage, repeats, strict=True):
            for repeat in range(row_repeats):
                out_channels = round_channels(row.channels * settings.width)
                shapes.append(
                    InvertedResidualShape(
                        in_channels=channels,
                        expanded_channels=channels * row.expansion,
                        out_channels=out_channels,
                        stride=row.stride if repeat == 0 else 1,
                        kernel_sizes=row.kernel_sizes if mixed else (3,),
                        expand_groups=row.expand_groups if mixed else 1,
                        project_groups=row.project_groups if mixed else 1,
                        squeeze_channels=int(channels * row.squeeze_ratio),
                        activation="silu" if row.squeeze_ratio else "relu",
                        partition=settings.mix_partition,
                        dilated=settings.mix_dilated,
                        padding=settings.padding,
                    )
                )
                channels = out_channels
    return InvertedResidualNetwork(shapes, _HEAD, settings, stem_activation="relu", padding=settings.padding)


def _deepened(repeats: list[int], depth: float) -> tuple[int, ...]:
    """Repeats of a stage's rows at that depth: the total is rounded, later rows take their part first."""
    total = sum(repeats)
    scaled_total = max(1, round(total * depth))
    scaled = []
    for repeat in reversed(repeats):
        part = max(1, round(repeat / total * scaled_total))
        scaled.append(part)
        total -= repeat
        scaled_total -= part
    return tuple(reversed(scaled))
