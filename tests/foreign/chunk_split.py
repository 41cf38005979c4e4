"""Style: the channels are dealt out by `chunk`; branches in a ModuleList or as attributes of their own.

Where the channels do not divide, chunk makes all shares as large as the first and the last one smaller:
another rule than the remainder that goes to the first group.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.foreign.case import foreign_case
from tests.foreign.trunk import Trunk


def chunk_sizes(channels: int, branches: int) -> list[int]:
    """The sizes `Tensor.chunk` makes: ceil(channels / branches) each, the last takes what is left."""
    return [part.shape[0] for part in torch.empty(channels).chunk(branches)]


class ChunkedDepthwise(nn.Module):
    """Kernel sizes 3, 5, 7, ... over equal chunks."""

    def __init__(self, channels: int, branches: int, stride: int = 1) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Conv2d(size, size, 3 + 2 * i, stride=stride, padding=1 + i, groups=size, bias=False)
            for i, size in enumerate(chunk_sizes(channels, branches))
        )

    def forward(self, x: Tensor) -> Tensor:
        chunks = x.chunk(len(self.branches), dim=1)
        return torch.cat([conv(chunk) for conv, chunk in zip(self.branches, chunks, strict=True)], dim=1)


class NamedBranches(nn.Module):
    """Two depthwise branches written out, halves named in forward."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.small = nn.Conv2d(half, half, 3, padding=1, groups=half, bias=False)
        self.large = nn.Conv2d(half, half, 7, padding=3, groups=half, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        left, right = torch.chunk(x, 2, 1)
        return torch.cat((self.small(left), self.large(right)), 1)


CHUNK_SPLIT = foreign_case(
    name="chunk_split",
    construct=lambda: Trunk(
        nn.Sequential(ChunkedDepthwise(12, 3, stride=2), nn.BatchNorm2d(12), nn.ReLU()),
        nn.Sequential(nn.Conv2d(12, 14, 1, bias=False), nn.BatchNorm2d(14), nn.ReLU()),
        nn.Sequential(ChunkedDepthwise(14, 4), nn.BatchNorm2d(14), nn.ReLU()),
        nn.Sequential(NamedBranches(14), nn.BatchNorm2d(14), nn.ReLU()),
        width=12,
        features=14,
    ),
    seed=203,
    mixconv_layers=("blocks.0.0", "blocks.2.0", "blocks.3.0"),
    notes="chunk of 14 channels into four gives 4, 4, 4, 2",
)
