"""Style: no Split at all; branches take `x[:, begin:end]`, `narrow`, or a slice that counts from the end."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from tests.foreign.case import foreign_case
from tests.foreign.trunk import Trunk


class SlicedDepthwise(nn.Module):
    """Borders of the groups as plain numbers; group i covers borders[i]:borders[i + 1]."""

    def __init__(self, borders: tuple[int, ...], kernels: tuple[int, ...], stride: int = 1) -> None:
        super().__init__()
        self.ranges = list(pairwise(borders))
        self.convs = nn.ModuleList(
            nn.Conv2d(end - begin, end - begin, k, stride, k // 2, groups=end - begin, bias=False)
            for (begin, end), k in zip(self.ranges, kernels, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        outputs = []
        for (begin, end), conv in zip(self.ranges, self.convs, strict=True):
            outputs.append(conv(x[:, begin:end]))
        return torch.cat(outputs, dim=1)


class HeadAndTail(nn.Module):
    """First `head` channels and the rest, written with an open and a negative slice."""

    def __init__(self, channels: int, head: int) -> None:
        super().__init__()
        self.tail = channels - head
        self.first = nn.Conv2d(head, head, 3, padding=1, groups=head, bias=False)
        self.last = nn.Conv2d(self.tail, self.tail, 5, padding=2, groups=self.tail, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.first(x[:, : -self.tail, :, :]), self.last(x[:, -self.tail :, ...])], dim=1)


class NarrowedPointwise(nn.Module):
    """Two-group 1x1 convolution over `narrow` views."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.border = channels // 2
        self.lower = nn.Conv2d(self.border, out_channels // 2, 1, bias=False)
        self.upper = nn.Conv2d(self.border, out_channels // 2, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        lower, upper = torch.narrow(x, 1, 0, self.border), x.narrow(1, self.border, self.border)
        return torch.cat([self.lower(lower), self.upper(upper)], dim=1)


SLICE_SPLIT = foreign_case(
    name="slice_split",
    construct=lambda: Trunk(
        nn.Sequential(SlicedDepthwise((0, 4, 8, 12), (3, 5, 7), stride=2), nn.BatchNorm2d(12), nn.Hardswish()),
        nn.Sequential(NarrowedPointwise(12, 16), nn.BatchNorm2d(16), nn.Hardswish()),
        nn.Sequential(HeadAndTail(16, 10), nn.BatchNorm2d(16), nn.Hardswish()),
        width=12,
        features=16,
    ),
    seed=204,
    mixconv_layers=("blocks.0.0", "blocks.1.0", "blocks.2.0"),
    notes="Slice nodes in place of Split, one set with negative bounds, one through narrow",
)
