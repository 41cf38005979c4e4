"""Style: every expert has a bias, mixed like the kernels, and a BatchNorm stands behind.

Folding the norm has to scale the mixed biases too, while its own offset must stay outside the mix: sigmoid
routing does not sum to one.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.foreign.case import foreign_case
from tests.foreign.trunk import Trunk


class BiasedMixture(nn.Module):
    """Kernels and biases both come from the routing row of the image; `biases` is [experts, out]."""

    def __init__(self, experts: int, shape: tuple[int, int, int, int], *, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.shape, self.stride, self.groups = shape, stride, groups
        scale = (shape[1] * shape[2] * shape[3]) ** -0.5
        self.kernels = nn.Parameter(torch.randn(experts, *shape) * scale)
        self.biases = nn.Parameter(torch.randn(experts, shape[0]))

    def forward(self, x: Tensor, routing: Tensor) -> Tensor:
        count = x.shape[0]
        kernel = torch.tensordot(routing, self.kernels, dims=([1], [0])).reshape(-1, *self.shape[1:])
        bias = routing.matmul(self.biases).reshape(-1)
        y = F.conv2d(
            x.reshape(1, -1, *x.shape[2:]),
            kernel,
            bias,
            self.stride,
            self.shape[2] // 2,
            groups=self.groups * count,
        )
        return y.reshape(count, self.shape[0], *y.shape[2:])


class BiasedUnit(nn.Module):
    """Depthwise and pointwise under one routing; the last layer of the unit has no activation."""

    def __init__(self, channels: int, out_channels: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.routing = nn.Linear(channels, 3)
        self.depthwise = BiasedMixture(3, (channels, 1, kernel, kernel), stride=stride, groups=channels)
        self.depthwise_norm = nn.BatchNorm2d(channels, eps=1e-3)
        self.pointwise = BiasedMixture(3, (out_channels, channels, 1, 1))
        self.pointwise_norm = nn.BatchNorm2d(out_channels, eps=1e-3)
        self.shortcut = stride == 1 and channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        routing = torch.sigmoid(self.routing(x.mean((2, 3))))
        y = F.gelu(self.depthwise_norm(self.depthwise(x, routing)))
        y = self.pointwise_norm(self.pointwise(y, routing))
        joined: Tensor = x + y if self.shortcut else y
        return joined


EXPERT_BIAS = foreign_case(
    name="expert_bias",
    construct=lambda: Trunk(BiasedUnit(8, 14, 3, 2), BiasedUnit(14, 14, 5, 1), width=8, features=14),
    seed=130,
    condconv_layers=tuple(f"blocks.{block}.{kind}" for block in (0, 1) for kind in ("depthwise", "pointwise")),
    routers=("blocks.0.routing", "blocks.1.routing"),
    notes="mixed bias as computed Conv bias, BatchNorm (eps 1e-3) behind, kernels by tensordot",
)
