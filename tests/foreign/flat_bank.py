"""Style: every expert is one row of a flat bank [experts, out * in/groups * height * width].

One routing vector per block, computed from what enters the block, serves its expand, depthwise and project
layers. The images of a batch become groups of one convolution. Ported weights pad by the SAME rule inside
forward.
"""

from __future__ import annotations

from functools import partial
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.foreign.case import foreign_case
from tests.foreign.same_padding import pad_same
from tests.foreign.trunk import Trunk


class FlatBankConv2d(nn.Module):
    """A convolution whose kernel is routing @ bank; knows nothing of where the routing comes from."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        groups: int = 1,
        experts: int = 4,
        same: bool = False,
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.stride = (stride, stride)
        self.dynamic_padding = same and stride > 1
        self.padding = (0, 0) if self.dynamic_padding else (kernel_size // 2, kernel_size // 2)
        self.groups = groups
        self.weight_shape = (out_channels, in_channels // groups, kernel_size, kernel_size)
        fan_in = prod(self.weight_shape[1:])
        self.weight = nn.Parameter(torch.randn(experts, prod(self.weight_shape)) * fan_in**-0.5)

    def forward(self, x: Tensor, routing_weights: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        kernels = torch.matmul(routing_weights, self.weight)
        kernels = kernels.view((batch * self.out_channels, *self.weight_shape[1:]))
        x = x.reshape(1, batch * channels, height, width)
        if self.dynamic_padding:
            x = pad_same(x, (self.weight_shape[2], self.weight_shape[3]), self.stride)
        y = F.conv2d(x, kernels, None, self.stride, self.padding, (1, 1), self.groups * batch)
        return y.permute(1, 0, 2, 3).view(batch, self.out_channels, y.shape[-2], y.shape[-1])


class Squeeze(nn.Module):
    """Squeeze-and-excite: scales feature maps, never kernels; its layers are static."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, 4, 1)
        self.expand = nn.Conv2d(4, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        gate = self.expand(F.silu(self.reduce(x.mean((2, 3), keepdim=True))))
        y: Tensor = x * gate.sigmoid()
        return y


class InvertedBlock(nn.Module):
    """Expand, depthwise, squeeze-excite, project; three CondConvs under one routing vector."""

    def __init__(
        self, in_channels: int, out_channels: int, *, kernel_size: int, stride: int, experts: int, same: bool
    ) -> None:
        super().__init__()
        middle = 3 * in_channels
        layer = partial(FlatBankConv2d, experts=experts, same=same)
        self.routing_fn = nn.Linear(in_channels, experts)
        self.conv_pw = layer(in_channels, middle, 1)
        self.bn1 = nn.BatchNorm2d(middle)
        self.conv_dw = layer(middle, middle, kernel_size, stride=stride, groups=middle)
        self.bn2 = nn.BatchNorm2d(middle)
        self.se = Squeeze(middle)
        self.conv_pwl = layer(middle, out_channels, 1)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.has_skip = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        pooled = F.adaptive_avg_pool2d(x, 1).flatten(1)
        routing = torch.sigmoid(self.routing_fn(pooled))
        y = F.silu(self.bn1(self.conv_pw(x, routing)))
        y = F.silu(self.bn2(self.conv_dw(y, routing)))
        y = self.bn3(self.conv_pwl(self.se(y), routing))
        joined: Tensor = y + x if self.has_skip else y
        return joined


def _network(*, kernel_size: int, same: bool) -> nn.Module:
    return Trunk(
        InvertedBlock(8, 12, kernel_size=kernel_size, stride=2, experts=4, same=same),
        InvertedBlock(12, 12, kernel_size=3, stride=1, experts=5, same=same),
        width=8,
        features=12,
    )


_LAYERS = tuple(f"blocks.{block}.conv_{kind}" for block in (0, 1) for kind in ("pw", "dw", "pwl"))
_case = partial(foreign_case, condconv_layers=_LAYERS, routers=("blocks.0.routing_fn", "blocks.1.routing_fn"))
FLAT_BANK = _case(
    name="flat_bank",
    construct=partial(_network, kernel_size=5, same=False),
    seed=101,
    notes="2-D bank, one routing vector shared by three layers, squeeze-excite between, residual",
)
FLAT_BANK_SAME = _case(
    name="flat_bank_same",
    construct=partial(_network, kernel_size=5, same=True),
    seed=102,
    input_size=(3, 24, 22),
    notes="flat_bank with SAME padding in forward: 12x11 at stride 2 gets rows 1 + 2, columns 2 + 2",
)
