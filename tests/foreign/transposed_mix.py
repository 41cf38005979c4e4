"""Transposed convolutions whose kernels are mixed for every image: a decoder that grows its map.

The kernels are (in, out / groups, k, k) and the grouped trick puts the images among the input channels. One layer has
an output padding and a bias, the other is depthwise; the activation is x * relu6(x + 3) / 6, written out.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.foreign.case import foreign_case
from tests.foreign.trunk import Trunk


class MixedTransposed2d(nn.Module):
    """bank (experts, in, out / groups, k, k), sigmoid routing from the pooled map."""

    def __init__(self, channels: int, out: int, kernel: int, *, grown: int = 0, groups: int = 1, bias: bool = False):
        super().__init__()
        self.kernel, self.grown, self.groups, self.out = kernel, grown, groups, out
        self.bank = nn.Parameter(
            torch.randn(4, channels, out // groups, kernel, kernel) * (channels * kernel**2 / groups / 4) ** -0.5
        )
        self.scores = nn.Linear(channels, 4)
        self.bias = nn.Parameter(torch.randn(out)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        routing = torch.sigmoid(self.scores(x.mean((2, 3))))
        kernels = (routing @ self.bank.flatten(1)).view(batch * channels, -1, self.kernel, self.kernel)
        joined = x.reshape(1, batch * channels, height, width)
        y = F.conv_transpose2d(joined, kernels, None, 2, 1, self.grown, groups=batch * self.groups)
        y = y.view(batch, self.out, *y.shape[2:])
        return y if self.bias is None else y + self.bias[:, None, None]


class WrittenHardSwish(nn.Module):
    """As code wrote it before there was an operator."""

    def forward(self, x: Tensor) -> Tensor:
        return x * F.relu6(x + 3) / 6


TRANSPOSED_MIX = foreign_case(
    name="transposed_mix",
    construct=lambda: Trunk(
        nn.Sequential(MixedTransposed2d(8, 12, 3, grown=1, bias=True), nn.BatchNorm2d(12), WrittenHardSwish()),
        nn.Sequential(MixedTransposed2d(12, 12, 4, groups=12), nn.BatchNorm2d(12), nn.ReLU()),
        width=8,
        features=12,
    ),
    seed=541,
    input_size=(3, 14, 13),
    condconv_layers=("blocks.0.0", "blocks.1.0"),
    routers=("blocks.0.0.scores", "blocks.1.0.scores"),
    notes="conditional transposed convolutions: 3x3 with output padding and bias, 4x4 depthwise; in stride 2",
)
