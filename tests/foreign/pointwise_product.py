"""Style: a 1x1 CondConv written as a matrix product on the flattened map; three ways to write it.

torch.bmm with the kernels on the left, matmul with the map transposed and the kernels on the right, and an
einsum. A stride is a slice in front of the product.
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.foreign.case import foreign_case
from tests.foreign.trunk import Trunk


class PixelMixture(nn.Module):
    """Holds the experts [experts, out, in] and their routing; `forward` is left to the three ways."""

    def __init__(self, channels: int, out_channels: int, *, experts: int = 4, stride: int = 1) -> None:
        super().__init__()
        self.out_channels, self.stride = out_channels, stride
        self.experts = nn.Parameter(torch.randn(experts, out_channels, channels) * channels**-0.5)
        self.gate = nn.Linear(channels, experts)

    def kernels(self, x: Tensor) -> Tensor:
        """Mixed matrices (batch, out, in) for the map x."""
        routing = torch.sigmoid(self.gate(x.mean((2, 3))))
        return torch.mm(routing, self.experts.flatten(1)).view(x.shape[0], *self.experts.shape[1:])


class LeftProduct(PixelMixture):
    def forward(self, x: Tensor) -> Tensor:
        kernels = self.kernels(x)
        x = x[:, :, :: self.stride, :: self.stride]
        batch, _, height, width = x.shape
        return torch.bmm(kernels, x.flatten(2)).view(batch, self.out_channels, height, width)


class RightProduct(PixelMixture):
    def forward(self, x: Tensor) -> Tensor:
        kernels = self.kernels(x)
        pixels = x.permute(0, 2, 3, 1)[:, :: self.stride, :: self.stride]
        batch, height, width, channels = pixels.shape
        product = torch.matmul(pixels.reshape(batch, height * width, channels), kernels.transpose(1, 2))
        return product.transpose(1, 2).reshape(batch, self.out_channels, height, width)


class EinsumProduct(PixelMixture):
    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("boi,bihw->bohw", self.kernels(x), x)


class ProductUnit(nn.Module):
    """Strided product, static depthwise convolution, second product."""

    def __init__(self, first: type[PixelMixture], second: type[PixelMixture], stride: int) -> None:
        super().__init__()
        self.first = first(8, 16, stride=stride)
        self.norm1 = nn.BatchNorm2d(16)
        self.spatial = nn.Conv2d(16, 16, 3, stride=1, padding=1, groups=16, bias=False)
        self.norm2 = nn.BatchNorm2d(16)
        self.second = second(16, 12)
        self.norm3 = nn.BatchNorm2d(12)

    def forward(self, x: Tensor) -> Tensor:
        x = F.silu(self.norm1(self.first(x)))
        x = F.silu(self.norm2(self.spatial(x)))
        return F.silu(self.norm3(self.second(x)))


def _network(first: type[PixelMixture], second: type[PixelMixture], stride: int) -> nn.Module:
    return Trunk(ProductUnit(first, second, stride), width=8, features=12)


_case = partial(
    foreign_case,
    condconv_layers=("blocks.0.first", "blocks.0.second"),
    routers=("blocks.0.first.gate", "blocks.0.second.gate"),
)
POINTWISE_BMM = _case(
    name="pointwise_bmm",
    construct=partial(_network, LeftProduct, LeftProduct, 2),
    seed=140,
    notes="bmm(kernels, map); the strided one slices every second pixel first",
)
POINTWISE_MATMUL = _case(
    name="pointwise_matmul",
    construct=partial(_network, RightProduct, RightProduct, 2),
    seed=141,
    notes="matmul(pixels, kernels transposed) with the map as (batch, pixels, channels)",
)
POINTWISE_EINSUM = _case(
    name="pointwise_einsum",
    construct=partial(_network, EinsumProduct, LeftProduct, 1),
    seed=142,
    notes="the application itself is an einsum, the second layer a bmm",
)
