"""Style: experts stacked along the output axis of one four-axis parameter [experts * out, in/groups, k, k].

Nothing in the shape of the parameter tells the number of experts; the layer routes itself and has no bias.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.foreign.case import foreign_case
from tests.foreign.trunk import Trunk


class StackedConv2d(nn.Conv2d):
    """A Conv2d with `num_experts` times the outputs, of which forward makes one kernel per image."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        groups: int = 1,
        num_experts: int = 4,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels * num_experts,
            kernel_size,
            stride,
            kernel_size // 2,
            groups=groups,
            bias=False,
        )
        self.num_experts = num_experts
        self.kept_channels = out_channels
        nn.init.normal_(self.weight, std=self.weight[0].numel() ** -0.5)
        self.fc = nn.Linear(in_channels, num_experts)

    def forward(self, input: Tensor) -> Tensor:
        n, c, h, w = input.shape
        mixture = torch.sigmoid(self.fc(input.mean(dim=(2, 3))))
        per_expert = self.weight.view(self.num_experts, -1)
        kernels = (mixture @ per_expert).view(n * self.kept_channels, *self.weight.shape[1:])
        out = F.conv2d(
            input.reshape(1, n * c, h, w),
            kernels,
            stride=self.stride,
            padding=self.padding,
            groups=n * self.groups,
        )
        return out.view(n, self.kept_channels, *out.shape[2:])


class StackedUnit(nn.Module):
    """Dense, depthwise and pointwise in a row, each with a routing of its own."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dense = StackedConv2d(width, width, 3, stride=2, num_experts=3)
        self.norm_dense = nn.BatchNorm2d(width)
        self.depthwise = StackedConv2d(width, width, 5, groups=width, num_experts=4)
        self.norm_depthwise = nn.BatchNorm2d(width)
        self.pointwise = StackedConv2d(width, 2 * width, 1, num_experts=6)
        self.norm_pointwise = nn.BatchNorm2d(2 * width)

    def forward(self, x: Tensor) -> Tensor:
        x = F.hardswish(self.norm_dense(self.dense(x)))
        x = F.hardswish(self.norm_depthwise(self.depthwise(x)))
        y: Tensor = self.norm_pointwise(self.pointwise(x))
        return y


_KINDS = ("dense", "depthwise", "pointwise")
STACKED_BANK = foreign_case(
    name="stacked_bank",
    construct=lambda: Trunk(StackedUnit(8), width=8, features=16),
    seed=104,
    condconv_layers=tuple(f"blocks.0.{kind}" for kind in _KINDS),
    routers=tuple(f"blocks.0.{kind}.fc" for kind in _KINDS),
    notes="[experts * out, in/groups, k, k] bank, 3, 4 and 6 experts, routing inside the layer",
)
