"""Style: a Python loop over the images of the batch, one ordinary convolution each, results joined again.

Right at any batch size in PyTorch; a capture unrolls as many rounds as its example batch has images.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.foreign.case import foreign_case
from tests.foreign.trunk import Trunk


class IndexedLoopConv2d(nn.Module):
    """Counts through the batch, sums the weighted experts, concatenates."""

    def __init__(self, channels: int, out_channels: int, kernel: int, *, stride: int = 1, experts: int = 3) -> None:
        super().__init__()
        self.stride, self.padding = stride, kernel // 2
        self.experts = nn.Parameter(
            torch.randn(experts, out_channels, channels, kernel, kernel) * (channels * kernel**2) ** -0.5
        )
        self.gate = nn.Linear(channels, experts)

    def forward(self, x: Tensor) -> Tensor:
        weights = self.gate(x.mean((-1, -2))).sigmoid()
        results = []
        for index in range(x.shape[0]):
            kernel = (weights[index].view(-1, 1, 1, 1, 1) * self.experts).sum(dim=0)
            results.append(F.conv2d(x[index : index + 1], kernel, stride=self.stride, padding=self.padding))
        return torch.cat(results, dim=0)


class ZippedLoopDepthwise(nn.Module):
    """Walks images and weights side by side, convolves without a batch axis, stacks."""

    def __init__(self, channels: int, kernel: int, *, experts: int = 4) -> None:
        super().__init__()
        self.channels, self.padding = channels, kernel // 2
        self.experts = nn.Parameter(torch.randn(experts, channels, 1, kernel, kernel) / kernel)
        self.gate = nn.Linear(channels, experts)

    def forward(self, x: Tensor) -> Tensor:
        weights = torch.sigmoid(self.gate(torch.flatten(F.adaptive_avg_pool2d(x, (1, 1)), 1)))
        results = []
        for image, mixture in zip(x, weights, strict=True):
            kernel = torch.tensordot(mixture, self.experts, dims=1)
            results.append(F.conv2d(image, kernel, padding=self.padding, groups=self.channels))
        return torch.stack(results)


class SplitLoopPointwise(nn.Module):
    """Splits the batch into single images; the weights of one image stay a row (1, experts)."""

    def __init__(self, channels: int, out_channels: int, *, experts: int = 4) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.experts = nn.Parameter(torch.randn(experts, out_channels * channels) * channels**-0.5)
        self.gate = nn.Linear(channels, experts)

    def forward(self, x: Tensor) -> Tensor:
        weights = self.gate(x.mean((2, 3))).sigmoid()
        return torch.cat(
            [
                F.conv2d(image, (row @ self.experts).view(self.out_channels, -1, 1, 1))
                for image, row in zip(torch.split(x, 1), torch.split(weights, 1), strict=True)
            ]
        )


def _network() -> nn.Module:
    return Trunk(
        nn.Sequential(IndexedLoopConv2d(8, 12, 3, stride=2), nn.BatchNorm2d(12), nn.ReLU()),
        nn.Sequential(ZippedLoopDepthwise(12, 5), nn.BatchNorm2d(12), nn.ReLU()),
        nn.Sequential(SplitLoopPointwise(12, 16), nn.BatchNorm2d(16), nn.ReLU()),
        width=8,
        features=16,
    )


_LAYERS = tuple(f"blocks.{block}.0" for block in range(3))
SAMPLE_LOOP = foreign_case(
    name="sample_loop",
    construct=_network,
    seed=107,
    condconv_layers=_LAYERS,
    routers=tuple(f"{path}.gate" for path in _LAYERS),
    notes="range/slice/cat, zip/stack without batch axis (3-D conv2d), split/cat; tensordot as the mix",
)
