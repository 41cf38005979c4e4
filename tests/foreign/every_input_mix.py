"""Lookalike: a layer named MixConv2d whose branches all read every input channel.

Only the outputs are shared out. There is no split, so neither a merged depthwise kernel nor a slice per
branch would mean the same. It is to be left alone with that reason, also where the branches are grouped
convolutions.
"""

from __future__ import annotations

from math import gcd

import torch
from torch import Tensor, nn

from tests.foreign.case import foreign_case
from tests.foreign.trunk import Trunk


class MixConv2d(nn.Module):
    """One convolution per kernel size over the whole input; outputs shared out in nearly equal parts."""

    def __init__(
        self,
        channels: int,
        out_channels: int,
        kernels: tuple[int, ...],
        *,
        stride: int = 1,
        grouped: bool = True,
    ) -> None:
        super().__init__()
        count = len(kernels)
        shares = [len(range(branch, out_channels, count)) for branch in range(count)]
        self.m = nn.ModuleList(
            nn.Conv2d(channels, c, k, stride, k // 2, groups=gcd(channels, c) if grouped else 1, bias=False)
            for c, k in zip(shares, kernels, strict=True)
        )
        self.bn = nn.BatchNorm2d(out_channels)
        self.act = nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.act(self.bn(torch.cat([conv(x) for conv in self.m], 1)))
        return y


class ResidualMix(nn.Module):
    """The older form: dense branches, input added to the output."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = MixConv2d(channels, channels, (1, 3), grouped=False)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.mix(x)
        return x + y


_REASON = "every branch reads all"
EVERY_INPUT_MIX = foreign_case(
    name="every_input_mix",
    construct=lambda: Trunk(MixConv2d(12, 16, (3, 5), stride=2), ResidualMix(16), width=12, features=16),
    seed=314,
    refused=(("blocks.0", _REASON), ("blocks.1.mix", _REASON)),
    notes="every branch reads all input channels: left alone with that reason; 4 groups in the first layer",
)
