"""Style: the dilated variant: a branch of size k is a 3x3 convolution with dilation (k - 1) // 2.

Strided layers keep the true kernel sizes, so one network holds both kinds.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.foreign.case import foreign_case
from tests.foreign.trunk import Trunk


class DilatedMixture(nn.Module):
    """Equal shares of the channels; the fields grow from branch to branch, at stride 1 by dilation."""

    def __init__(self, channels: int, fields: tuple[int, ...], stride: int = 1) -> None:
        super().__init__()
        self.share = channels // len(fields)
        self.paths = nn.ModuleList()
        for field in fields:
            dilation = (field - 1) // 2 if stride == 1 else 1
            kernel = 3 if stride == 1 else field
            self.paths.append(
                nn.Conv2d(
                    self.share,
                    self.share,
                    kernel,
                    stride=stride,
                    padding=dilation * (kernel - 1) // 2,
                    dilation=dilation,
                    groups=self.share,
                    bias=False,
                )
            )

    def forward(self, x: Tensor) -> Tensor:
        parts = torch.split(x, self.share, dim=1)
        return torch.cat([path(part) for path, part in zip(self.paths, parts, strict=True)], dim=1)


DILATED_BRANCHES = foreign_case(
    name="dilated_branches",
    construct=lambda: Trunk(
        nn.Sequential(DilatedMixture(12, (3, 5, 7)), nn.BatchNorm2d(12), nn.SiLU()),
        nn.Sequential(DilatedMixture(12, (3, 5, 7, 9), stride=2), nn.BatchNorm2d(12), nn.SiLU()),
        nn.Sequential(DilatedMixture(12, (3, 9)), nn.BatchNorm2d(12), nn.SiLU()),
        width=12,
        features=12,
    ),
    seed=209,
    mixconv_layers=("blocks.0.0", "blocks.1.0", "blocks.2.0"),
    notes="equal 3x3 kernels that differ in dilation (1, 2, 3 and 1, 4); the strided layer has true 3.5.7.9",
)
