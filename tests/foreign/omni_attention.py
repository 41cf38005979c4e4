"""Attention over experts, taps, input and output channels at once (ODConv).

Input and output attention scale feature maps and concern no kernel. The kernel of a 1x1 layer is linear in
the expert attention. That of a 3x3 layer is the product of expert and tap attention, linear in each but not
in both together: the attention of the taps has to be moved to what each tap sees.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.foreign.case import foreign_case
from tests.foreign.trunk import Trunk


class OmniConv2d(nn.Module):
    """Pooled map, hidden layer with BatchNorm, then one head per kind of attention."""

    def __init__(self, channels: int, out_channels: int, kernel: int, *, stride: int = 1, experts: int = 4) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.weight = nn.Parameter(
            torch.randn(experts, out_channels, channels, kernel, kernel) * (channels * kernel**2) ** -0.5
        )
        self.hidden = nn.Conv2d(channels, 8, 1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.input_head = nn.Conv2d(8, channels, 1)
        self.output_head = nn.Conv2d(8, out_channels, 1)
        self.expert_head = nn.Conv2d(8, experts, 1)
        self.tap_head = nn.Conv2d(8, kernel * kernel, 1) if kernel > 1 else None

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        code = F.relu(self.norm(self.hidden(F.adaptive_avg_pool2d(x, 1))))
        experts = torch.softmax(self.expert_head(code).view(batch, -1, 1, 1, 1, 1), dim=1)
        bank = self.weight.unsqueeze(0)
        if self.tap_head is not None:
            taps = torch.sigmoid(self.tap_head(code)).view(batch, 1, 1, 1, self.kernel, self.kernel)
            bank = taps * bank
        kernels = (experts * bank).sum(dim=1).flatten(0, 1)
        scaled = (x * torch.sigmoid(self.input_head(code))).reshape(1, batch * channels, height, width)
        y = F.conv2d(scaled, kernels, stride=self.stride, padding=self.kernel // 2, groups=batch)
        return y.view(batch, -1, *y.shape[2:]) * torch.sigmoid(self.output_head(code))


OMNI_ATTENTION = foreign_case(
    name="omni_attention",
    construct=lambda: Trunk(
        nn.Sequential(OmniConv2d(8, 12, 3, stride=2), nn.BatchNorm2d(12), nn.ReLU()),
        nn.Sequential(OmniConv2d(12, 16, 1), nn.BatchNorm2d(16), nn.ReLU()),
        width=8,
        features=16,
    ),
    seed=312,
    condconv_layers=("blocks.0.0", "blocks.1.0"),
    routers=("blocks.0.0.expert_head", "blocks.1.0.expert_head"),
    hidden_routers=("blocks.0.0.hidden", "blocks.1.0.hidden"),
    notes="experts times taps in a strided 3x3 layer and experts alone in a 1x1; attention scales the maps around",
)
