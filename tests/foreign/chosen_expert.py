"""Lookalike: the kernel of the best expert is looked up by its index; nothing is mixed.

The only small tensor before the kernel is an integer. A kernel looked up by number is no linear function of
that number, and the layer is to be refused. (The same choice through a one-hot vector is linear: see
routing_forms.)
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.foreign.case import foreign_case
from tests.foreign.trunk import Trunk


class ChosenConv2d(nn.Module):
    """bank[argmax(scores)] as the kernel of every image."""

    def __init__(self, channels: int, out_channels: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.stride, self.padding, self.groups = stride, kernel // 2, groups
        self.bank = nn.Parameter(torch.randn(4, out_channels, channels // groups, kernel, kernel) / kernel)
        self.scores = nn.Linear(channels, 4)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        chosen = self.scores(x.mean((2, 3))).argmax(dim=1)
        kernels = self.bank[chosen].flatten(0, 1)
        grouped = x.reshape(1, batch * channels, height, width)
        y = F.conv2d(grouped, kernels, None, self.stride, self.padding, 1, batch * self.groups)
        return y.view(batch, -1, *y.shape[2:])


CHOSEN_EXPERT = foreign_case(
    name="chosen_expert",
    construct=lambda: Trunk(
        nn.Sequential(ChosenConv2d(8, 8, 3, stride=2, groups=8), nn.BatchNorm2d(8), nn.ReLU()),
        nn.Sequential(ChosenConv2d(8, 12, 1), nn.BatchNorm2d(12), nn.ReLU()),
        width=8,
        features=12,
    ),
    seed=311,
    routing_spread=0.7,  # of the size of the biases, which would not sway the choice otherwise
    refused=(("blocks.0.0", "linear"), ("blocks.1.0", "linear")),
    routers=("blocks.0.0.scores", "blocks.1.0.scores"),
    notes="Gather of one expert by a computed index: refused, not linear in the index",
)
