"""Lookalike: a style vector scales the inputs of one static kernel, which is then brought back to norm one.

Without the second step the kernel would be linear in the style; with it, it is not, and the layer is to be
refused.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.foreign.case import foreign_case
from tests.foreign.trunk import Trunk


class StyledConv2d(nn.Module):
    """kernel[b, o, i] = weight[o, i] * style[b, i], divided by its norm over (i, k, k)."""

    def __init__(self, channels: int, out_channels: int, kernel: int, *, stride: int = 1) -> None:
        super().__init__()
        self.stride, self.padding = stride, kernel // 2
        self.weight = nn.Parameter(torch.randn(out_channels, channels, kernel, kernel))
        self.affine = nn.Linear(channels, channels)
        self.noise_bias = nn.Parameter(torch.randn(out_channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        style = 1 + self.affine(x.mean((2, 3)))
        kernels = self.weight.unsqueeze(0) * style[:, None, :, None, None]
        demodulation = torch.rsqrt(kernels.square().sum(dim=(2, 3, 4), keepdim=True) + 1e-8)
        kernels = (kernels * demodulation).flatten(0, 1)
        grouped = x.reshape(1, batch * channels, height, width)
        y = F.conv2d(grouped, kernels, stride=self.stride, padding=self.padding, groups=batch)
        return y.view(batch, -1, *y.shape[2:]) + self.noise_bias


def _network() -> nn.Module:
    return Trunk(
        nn.Sequential(StyledConv2d(8, 12, 3, stride=2), nn.BatchNorm2d(12), nn.LeakyReLU(0.2)),
        nn.Sequential(StyledConv2d(12, 12, 1), nn.BatchNorm2d(12), nn.LeakyReLU(0.2)),
        width=8,
        features=12,
    )


MODULATED_CONV = foreign_case(
    name="modulated_conv",
    construct=_network,
    seed=310,
    refused=(("blocks.0.0", "linear"), ("blocks.1.0", "linear")),
    routers=("blocks.0.0.affine", "blocks.1.0.affine"),
    notes="kernel times style with demodulation: refused, not linear in a small vector",
)
