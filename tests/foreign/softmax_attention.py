"""Style: softmax attention with a hidden layer and a temperature, kernels and biases both mixed.

The hidden layer has fewer units than there are experts, so it is a narrower separator than the routing
vector, and the kernel is *not* linear in it: the narrowest tensor is the wrong answer here. The temperature
is a Python attribute that no state_dict holds.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.foreign.case import foreign_case
from tests.foreign.trunk import Trunk


class TemperedAttention(nn.Module):
    """Feature map to expert weights (batch, experts) of sum one, the flatter the higher the temperature."""

    def __init__(self, channels: int, hidden: int, experts: int, temperature: float) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, hidden, 1, bias=False)
        self.fc2 = nn.Conv2d(hidden, experts, 1, bias=True)
        self.temperature = temperature

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.relu(self.fc1(F.adaptive_avg_pool2d(x, 1)))
        scores = self.fc2(hidden).view(x.size(0), -1)
        return F.softmax(scores / self.temperature, dim=1)


class DynamicConv2d(nn.Module):
    """Mixed kernel and mixed bias [experts, out], one group per image."""

    def __init__(
        self,
        in_planes: int,
        out_planes: int,
        kernel_size: int,
        *,
        stride: int = 1,
        groups: int = 1,
        experts: int = 5,
        temperature: float = 4.0,
    ) -> None:
        super().__init__()
        self.stride, self.padding, self.groups = stride, kernel_size // 2, groups
        self.out_planes, self.experts = out_planes, experts
        self.attention = TemperedAttention(in_planes, 3, experts, temperature)
        shape = (experts, out_planes, in_planes // groups, kernel_size, kernel_size)
        self.weight = nn.Parameter(torch.randn(shape) * (shape[2] * kernel_size**2) ** -0.5)
        self.bias = nn.Parameter(torch.randn(experts, out_planes))

    def forward(self, x: Tensor) -> Tensor:
        attention = self.attention(x)
        images, channels, height, width = x.size()
        kernels = torch.mm(attention, self.weight.view(self.experts, -1))
        kernels = kernels.view(images * self.out_planes, *self.weight.shape[2:])
        biases = torch.mm(attention, self.bias).view(-1)
        merged = x.reshape(1, images * channels, height, width)
        out = F.conv2d(merged, kernels, biases, self.stride, self.padding, groups=self.groups * images)
        return out.view(images, self.out_planes, out.size(-2), out.size(-1))


class DynamicBottleneck(nn.Module):
    """1x1, depthwise 3x3, 1x1, each with its own attention; BatchNorm behind each."""

    def __init__(self, in_planes: int, out_planes: int, stride: int) -> None:
        super().__init__()
        wide = 2 * in_planes
        self.reduce = DynamicConv2d(in_planes, wide, 1)
        self.norm1 = nn.BatchNorm2d(wide)
        self.spatial = DynamicConv2d(wide, wide, 3, stride=stride, groups=wide)
        self.norm2 = nn.BatchNorm2d(wide)
        self.expand = DynamicConv2d(wide, out_planes, 1)
        self.norm3 = nn.BatchNorm2d(out_planes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm1(self.reduce(x)))
        x = F.relu(self.norm2(self.spatial(x)))
        return F.relu(self.norm3(self.expand(x)))


_LAYERS = tuple(f"blocks.{block}.{layer}" for block in (0, 1) for layer in ("reduce", "spatial", "expand"))
SOFTMAX_ATTENTION = foreign_case(
    name="softmax_attention",
    construct=lambda: Trunk(DynamicBottleneck(8, 12, 2), DynamicBottleneck(12, 12, 1), width=8, features=12),
    seed=108,
    condconv_layers=_LAYERS,
    routers=tuple(f"{path}.attention.fc2" for path in _LAYERS),
    hidden_routers=tuple(f"{path}.attention.fc1" for path in _LAYERS),
    routing_spread=6.0,  # divided by the temperature before the softmax
    notes="hidden width 3, 5 experts: linear in the softmax, not in the narrower hidden vector; mixed bias",
)
