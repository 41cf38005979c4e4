"""Lookalike: ordinary layers that share a trait with the constructs: groups, depthwise, a channel shuffle.

Nothing computes a kernel and nothing is split; there is nothing to recognise and nothing to refuse.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from tests.foreign.case import foreign_case
from tests.foreign.trunk import Trunk


class ShuffleUnit(nn.Module):
    """Grouped 1x1, shuffle, depthwise, squeeze-excite, grouped 1x1."""

    def __init__(self, channels: int, out_channels: int, groups: int, stride: int) -> None:
        super().__init__()
        self.groups = groups
        self.first = nn.Conv2d(channels, 4 * groups, 1, groups=groups, bias=False)
        self.norm1 = nn.BatchNorm2d(4 * groups)
        self.spatial = nn.Conv2d(4 * groups, 4 * groups, 5, stride, 2, groups=4 * groups, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * groups)
        self.gate = nn.Linear(4 * groups, 4 * groups)
        self.last = nn.Conv2d(4 * groups, out_channels, 1, groups=groups, bias=False)
        self.norm3 = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm1(self.first(x)))
        batch, channels, height, width = x.shape
        x = x.view(batch, self.groups, -1, height, width).transpose(1, 2).reshape(batch, channels, height, width)
        x = F.relu(self.norm2(self.spatial(x)))
        x = x * self.gate(x.mean((2, 3))).sigmoid()[:, :, None, None]
        return F.relu(self.norm3(self.last(x)))


ORDINARY_GROUPS = foreign_case(
    name="ordinary_groups",
    construct=lambda: Trunk(ShuffleUnit(8, 12, 2, 2), ShuffleUnit(12, 12, 4, 1), width=8, features=12),
    seed=315,
    notes="nothing is recognised: constant kernels, groups 2 and 4, no split",
)
