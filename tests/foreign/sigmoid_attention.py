"""Style: a self-contained layer with its own attention branch: pooling, 1x1 Conv without bias, sigmoid."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.foreign.case import foreign_case
from tests.foreign.trunk import Trunk


class ExpertAttention(nn.Module):
    """Feature map to expert weights (batch, experts), by a 1x1 convolution on the pooled map."""

    def __init__(self, in_planes: int, experts: int) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.net = nn.Conv2d(in_planes, experts, kernel_size=1, bias=False)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        scores = self.net(self.avgpool(x)).view(x.shape[0], -1)
        attention: Tensor = self.sigmoid(scores)
        return attention


class AttentiveConv2d(nn.Module):
    """forward(x) alone: callers use it wherever a Conv2d stood."""

    def __init__(
        self,
        in_planes: int,
        out_planes: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
        experts: int = 4,
    ) -> None:
        super().__init__()
        self.in_planes, self.out_planes = in_planes, out_planes
        self.kernel_size, self.stride, self.padding, self.groups = kernel_size, stride, padding, groups
        self.attention = ExpertAttention(in_planes, experts)
        self.weight = nn.Parameter(
            torch.randn(experts, out_planes, in_planes // groups, kernel_size, kernel_size)
            * (in_planes // groups * kernel_size**2) ** -0.5
        )

    def forward(self, x: Tensor) -> Tensor:
        attention = self.attention(x)
        count, _, height, width = x.shape
        bank = self.weight.flatten(1)
        kernels = torch.mm(attention, bank).view(
            count * self.out_planes, self.in_planes // self.groups, self.kernel_size, self.kernel_size
        )
        folded = x.contiguous().view(1, count * self.in_planes, height, width)
        y = nn.functional.conv2d(folded, kernels, None, self.stride, self.padding, 1, self.groups * count)
        return y.view(count, self.out_planes, y.shape[2], y.shape[3])


def conv_norm_act(in_planes: int, out_planes: int, kernel_size: int, stride: int, groups: int = 1) -> nn.Sequential:
    """The stacked unit such layers are used in: layer, BatchNorm, LeakyReLU."""
    layer = AttentiveConv2d(in_planes, out_planes, kernel_size, stride, kernel_size // 2, groups)
    return nn.Sequential(layer, nn.BatchNorm2d(out_planes), nn.LeakyReLU(0.1))


SIGMOID_ATTENTION = foreign_case(
    name="sigmoid_attention",
    construct=lambda: Trunk(
        conv_norm_act(8, 12, 3, stride=2),
        conv_norm_act(12, 12, 5, stride=1, groups=12),
        conv_norm_act(12, 16, 1, stride=1),
        width=8,
        features=16,
    ),
    seed=105,
    input_size=(3, 25, 23),
    condconv_layers=("blocks.0.0", "blocks.1.0", "blocks.2.0"),
    routers=tuple(f"blocks.{block}.0.attention.net" for block in range(3)),
    notes="routing is a bias-free 1x1 Conv, itself static; odd image sizes",
)
