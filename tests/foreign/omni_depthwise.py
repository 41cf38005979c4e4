"""ODConv in an inverted residual: 1x1, depthwise 3x3 and 1x1, attentions built by the temperature's own code.

The depthwise layer has attention of its taps inside the kernel and of its input channels on the map, none of its output
channels, as its authors leave that out where groups, inputs and outputs are one number.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.foreign.case import foreign_case
from tests.foreign.trunk import Trunk


class Attentions(nn.Module):
    """One hidden layer, up to four heads; a head that is not needed answers with one."""

    def __init__(self, channels: int, out: int, kernel: int, groups: int, experts: int) -> None:
        super().__init__()
        self.kernel, self.temperature = kernel, 2.0
        self.fc = nn.Conv2d(channels, 8, 1, bias=False)
        self.bn = nn.BatchNorm2d(8)
        self.channel_fc = nn.Conv2d(8, channels, 1)
        self.filter_fc = None if channels == groups == out else nn.Conv2d(8, out, 1)
        self.spatial_fc = None if kernel == 1 else nn.Conv2d(8, kernel * kernel, 1)
        self.kernel_fc = nn.Conv2d(8, experts, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | float, Tensor | float, Tensor]:
        code = F.relu(self.bn(self.fc(F.adaptive_avg_pool2d(x, 1))))
        batch, heat = x.shape[0], self.temperature
        channel = torch.sigmoid(self.channel_fc(code).view(batch, -1, 1, 1) / heat)
        filters: Tensor | float = 1.0
        if self.filter_fc is not None:
            filters = torch.sigmoid(self.filter_fc(code).view(batch, -1, 1, 1) / heat)
        spatial: Tensor | float = 1.0
        if self.spatial_fc is not None:
            spatial = torch.sigmoid(self.spatial_fc(code).view(batch, 1, 1, 1, self.kernel, self.kernel) / heat)
        kernels = F.softmax(self.kernel_fc(code).view(batch, -1, 1, 1, 1, 1) / heat, dim=1)
        return channel, filters, spatial, kernels


class OmniConv2d(nn.Module):
    def __init__(self, channels: int, out: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.out, self.kernel, self.stride, self.groups = out, kernel, stride, groups
        self.attention = Attentions(channels, out, kernel, groups, 4)
        self.weight = nn.Parameter(
            torch.randn(4, out, channels // groups, kernel, kernel) * (channels // groups * kernel**2 / 8) ** -0.5
        )

    def forward(self, x: Tensor) -> Tensor:
        channel, filters, spatial, kernels = self.attention(x)
        batch, channels, height, width = x.shape
        x = (x * channel).reshape(1, -1, height, width)
        weight = spatial * kernels * self.weight.unsqueeze(0)
        weight = weight.sum(dim=1).view(-1, channels // self.groups, self.kernel, self.kernel)
        y = F.conv2d(x, weight, None, self.stride, self.kernel // 2, groups=self.groups * batch)
        return y.view(batch, self.out, *y.shape[2:]) * filters


OMNI_DEPTHWISE = foreign_case(
    name="omni_depthwise",
    construct=lambda: Trunk(
        nn.Sequential(OmniConv2d(8, 12, 1), nn.BatchNorm2d(12), nn.ReLU6()),
        nn.Sequential(OmniConv2d(12, 12, 3, stride=2, groups=12), nn.BatchNorm2d(12), nn.ReLU6()),
        nn.Sequential(OmniConv2d(12, 10, 1), nn.BatchNorm2d(10)),
        width=8,
        features=10,
    ),
    seed=545,
    condconv_layers=("blocks.0.0", "blocks.1.0", "blocks.2.0"),
    routers=("blocks.0.0.attention.kernel_fc", "blocks.1.0.attention.kernel_fc", "blocks.2.0.attention.kernel_fc"),
    hidden_routers=("blocks.0.0.attention.fc", "blocks.1.0.attention.fc", "blocks.2.0.attention.fc"),
    notes="ODConv with a temperature in an inverted residual: taps of a depthwise layer, heads left out",
)
