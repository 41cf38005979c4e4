"""Style: channels that do not divide, shares unequal by intent, a list of branches even for one kernel.

Equal partition gives the whole remainder to group 0; exponential partition halves the share from group to
group. A layer with one kernel size still splits and joins, which is an ordinary convolution and no MixConv.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.foreign.case import foreign_case
from tests.foreign.trunk import Trunk


def remainder_first(channels: int, groups: int) -> list[int]:
    """Equal shares, group 0 takes what is left over."""
    sizes = [channels // groups for _ in range(groups)]
    sizes[0] += channels - sum(sizes)
    return sizes


def halving(channels: int, groups: int) -> list[int]:
    """Shares of about channels / 2, / 4, ...; the last group takes what is left (32 in four: 16, 8, 4, 4)."""
    sizes = [channels >> (group + 1) for group in range(groups - 1)]
    return [*sizes, channels - sum(sizes)]


class ListedDepthwise(nn.Module):
    """One depthwise convolution per share, always through split and concat."""

    def __init__(self, shares: list[int], kernels: list[int], stride: int = 1) -> None:
        super().__init__()
        self.split_channels = shares
        self.mixed_depthwise_conv = nn.ModuleList(
            nn.Conv2d(share, share, kernel, stride=stride, padding=kernel // 2, groups=share, bias=False)
            for share, kernel in zip(shares, kernels, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        pieces = torch.split(x, self.split_channels, dim=1)
        return torch.cat([conv(piece) for conv, piece in zip(self.mixed_depthwise_conv, pieces, strict=True)], dim=1)


def _block(channels: int, shares: list[int], kernels: list[int], stride: int = 1) -> nn.Sequential:
    return nn.Sequential(ListedDepthwise(shares, kernels, stride), nn.BatchNorm2d(channels), nn.ReLU6())


UNEVEN_SPLIT = foreign_case(
    name="uneven_split",
    construct=lambda: Trunk(
        _block(17, remainder_first(17, 1), [3]),
        _block(17, remainder_first(17, 5), [3, 5, 7, 9, 11], stride=2),
        _block(17, remainder_first(17, 3), [3, 5, 7]),
        width=17,
        features=17,
    ),
    seed=205,
    mixconv_layers=("blocks.1.0", "blocks.2.0"),
    notes="17 channels as 5, 3, 3, 3, 3 and 7, 5, 5; the one-way layer is an ordinary depthwise convolution",
)
EXPONENTIAL_SPLIT = foreign_case(
    name="exponential_split",
    construct=lambda: Trunk(
        _block(32, halving(32, 4), [3, 5, 7, 9], stride=2),
        _block(32, halving(32, 5), [3, 5, 7, 9, 11]),
        width=32,
        features=32,
    ),
    seed=206,
    mixconv_layers=("blocks.0.0", "blocks.1.0"),
    notes="16, 8, 4, 4 and 16, 8, 4, 2, 2",
)
