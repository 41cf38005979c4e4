"""Style: the routing comes from another tensor: the stem's map decides for layers further on, in both spellings."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.foreign.case import foreign_case
from tests.foreign.trunk import Trunk

_EXPERTS = 3


class ContextBlock(nn.Module):
    """An ordinary layer, then two layers routed by what came in: one mixes kernels, one sums outputs."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.context = nn.Sequential(nn.Linear(channels, 6), nn.ReLU(), nn.Linear(6, _EXPERTS))
        self.plain = nn.Sequential(nn.Conv2d(channels, 12, 1, bias=False), nn.BatchNorm2d(12), nn.ReLU())
        self.mixed = MixedByContext(12)
        self.norm = nn.BatchNorm2d(12)
        self.summed = SummedByContext(12, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        context = torch.softmax(self.context(x.mean((2, 3))), 1)
        y = F.relu(self.norm(self.mixed(self.plain(x), context)))
        summed: Tensor = self.summed(y, context)
        return summed


class MixedByContext(nn.Module):
    """Depthwise, its kernels mixed by the given vector."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bank = nn.Parameter(torch.randn(_EXPERTS, channels * 9) / 3)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        count, channels = x.shape[:2]
        kernels = (context @ self.bank).view(count * channels, 1, 3, 3)
        y = F.conv2d(x.reshape(1, -1, *x.shape[2:]), kernels, stride=2, padding=1, groups=count * channels)
        return y.view(count, channels, *y.shape[2:])


class SummedByContext(nn.Module):
    """1x1 experts, their outputs weighed by the given vector."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.experts = nn.ModuleList(nn.Conv2d(channels, out_channels, 1) for _ in range(_EXPERTS))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        weights = context.t()[:, :, None, None, None]
        return (weights * torch.stack([expert(x) for expert in self.experts])).sum(0)


ROUTING_ELSEWHERE = foreign_case(
    name="routing_elsewhere",
    construct=lambda: Trunk(nn.Sequential(ContextBlock(8, 10), nn.BatchNorm2d(10), nn.ReLU()), width=8, features=10),
    seed=523,
    condconv_layers=("blocks.0.0.mixed", "blocks.0.0.summed"),
    routers=("blocks.0.0.context.2",),
    hidden_routers=("blocks.0.0.context.0",),
    notes="routing from an earlier map for a depthwise kernel mix and a 1x1 sum of experts' outputs",
)
