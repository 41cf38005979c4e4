"""Lookalikes: slices, convolutions and a concat that do not partition the channels in their order.

Slices that overlap, that leave channels out, or that come back in another order; a half that passes
unchanged; and branches that feed one another. All are to be left alone.
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.foreign.case import foreign_case
from tests.foreign.trunk import Trunk

Ranges = tuple[tuple[int, int], ...]


class RangedBranches(nn.Module):
    """Depthwise 3, 5, ... over the given channel ranges, whatever they are, joined in the order given."""

    def __init__(self, ranges: Ranges, *, stride: int = 1) -> None:
        super().__init__()
        self.ranges = ranges
        self.convs = nn.ModuleList(
            nn.Conv2d(end - begin, end - begin, 3 + 2 * i, stride, 1 + i, groups=end - begin, bias=False)
            for i, (begin, end) in enumerate(ranges)
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat(
            [conv(x[:, begin:end]) for conv, (begin, end) in zip(self.convs, self.ranges, strict=True)], dim=1
        )


class HalfUntouched(nn.Module):
    """Convolves the first quarter of the channels and passes the others on."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.sizes = [channels // 4, channels - channels // 4]
        self.partial_conv = nn.Conv2d(self.sizes[0], self.sizes[0], 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        touched, untouched = torch.split(x, self.sizes, dim=1)
        return torch.cat((self.partial_conv(touched), untouched), dim=1)


class Cascade(nn.Module):
    """Every branch but the first also reads what the branch before it made."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        width = channels // 3
        self.convs = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        outputs: list[Tensor] = []
        for conv, part in zip(self.convs, x.chunk(3, dim=1), strict=True):
            outputs.append(F.relu(conv(part + outputs[-1] if outputs else part)))
        return torch.cat(outputs, dim=1)


def _ranged(ranges: Ranges) -> nn.Module:
    width = sum(end - begin for begin, end in ranges)
    return Trunk(
        nn.Sequential(RangedBranches(ranges, stride=2), nn.BatchNorm2d(width), nn.ReLU()),
        width=12,
        features=width,
    )


def _linked(layer: nn.Module) -> nn.Module:
    return Trunk(nn.Sequential(layer, nn.BatchNorm2d(12), nn.ReLU(), nn.Conv2d(12, 12, 3, 2, 1)), width=12, features=12)


OVERLAPPING_SLICES = foreign_case(
    name="overlapping_slices",
    construct=partial(_ranged, ((0, 8), (4, 12))),
    seed=316,
    refused=(("blocks.0.0", "overlap"),),
    notes="channels 4 to 8 are read twice",
)
SLICES_WITH_GAP = foreign_case(
    name="slices_with_gap",
    construct=partial(_ranged, ((0, 4), (6, 12))),
    seed=317,
    refused=(("blocks.0.0", "channels"),),
    notes="channels 4 and 5 are read by no branch",
)
SLICES_REORDERED = foreign_case(
    name="slices_reordered",
    construct=partial(_ranged, ((6, 12), (0, 6))),
    seed=318,
    refused=(("blocks.0.0", "order"),),
    notes="a partition, but joined in another order: MixConv followed by a permutation",
)
HALF_UNTOUCHED = foreign_case(
    name="half_untouched",
    construct=lambda: _linked(HalfUntouched(12)),
    seed=319,
    notes="nothing is recognised: one branch is no convolution",
)
CASCADE = foreign_case(
    name="cascade",
    construct=lambda: _linked(Cascade(12)),
    seed=320,
    notes="nothing is recognised: branches read one another",
)
