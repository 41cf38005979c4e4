"""Lookalike: feature modulation under the name of CondConv; maps are scaled and shifted, not kernels mixed.

Matching by class name would take these layers for mixtures of experts. They are to be left alone: every
convolution here has a constant kernel.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from tests.foreign.case import foreign_case
from tests.foreign.trunk import Trunk


class CondConv2d(nn.Module):
    """A static convolution; its output is scaled and shifted per channel by a linear map of the context."""

    def __init__(
        self, channels: int, out_channels: int, kernel: int, context: int, *, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)
        self.routing_fn = nn.Linear(context, 2 * out_channels)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        scale, shift = self.routing_fn(context)[:, :, None, None].chunk(2, dim=1)
        y: Tensor = (1 + scale) * self.norm(self.conv(x)) + shift
        return y


class ModulatedUnit(nn.Module):
    """Depthwise and pointwise, both modulated by four numbers drawn from the map that enters."""

    def __init__(self, channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.context = nn.Linear(channels, 4)
        self.conv_dw = CondConv2d(channels, channels, 3, 4, stride=stride, groups=channels)
        self.conv_pw = CondConv2d(channels, out_channels, 1, 4)

    def forward(self, x: Tensor) -> Tensor:
        context = self.context(x.mean((2, 3))).sigmoid()
        x = F.silu(self.conv_dw(x, context))
        return F.silu(self.conv_pw(x, context))


FILM = foreign_case(
    name="film",
    construct=lambda: Trunk(ModulatedUnit(8, 12, 2), ModulatedUnit(12, 12, 1), width=8, features=12),
    seed=301,
    routers=("blocks.0.context", "blocks.1.context"),
    notes="nothing is recognised: constant kernels, though class and attribute names say otherwise",
)
