"""Lookalike: matrix products of two computed tensors that are no convolution with a mixed kernel.

Self-attention over the pixels and a second-order pooling. Neither factor is computed from a small vector;
nothing is recognised.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.foreign.case import foreign_case
from tests.foreign.trunk import Trunk


class PixelAttention(nn.Module):
    """To every pixel of (batch, channels, height, width) a weighted mean of all pixels is added."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, 4, 1)
        self.key = nn.Conv2d(channels, 4, 1, bias=False)
        self.value = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        query, key = self.query(x).flatten(2), self.key(x).flatten(2)
        shares = torch.softmax(torch.bmm(query.transpose(1, 2), key), dim=2)
        value = self.value(x).flatten(2)
        return x + torch.matmul(value, shares.transpose(1, 2)).view_as(x)


class ChannelCovariance(nn.Module):
    """Map to the products of its channels with one another, (batch, channels * channels, 1, 1)."""

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(2)
        flat = flat - flat.mean(2, keepdim=True)
        return (torch.bmm(flat, flat.transpose(1, 2)) / flat.shape[2]).flatten(1)[:, :, None, None]


SELF_ATTENTION = foreign_case(
    name="self_attention",
    construct=lambda: Trunk(
        nn.Sequential(nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8), nn.BatchNorm2d(8), nn.ReLU()),
        PixelAttention(8),
        ChannelCovariance(),
        width=8,
        features=64,
    ),
    seed=313,
    notes="nothing is recognised: both factors of every computed product come from whole maps",
)
