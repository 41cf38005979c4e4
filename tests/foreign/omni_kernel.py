"""Attention over experts, taps, input and output channels, all four multiplied into the kernel (ODConv).

omni_attention moves two of them to the maps itself; here all are factors of the kernel, which is linear in each and
not in all together. Three of them have to be moved out of it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.foreign.case import foreign_case
from tests.foreign.trunk import Trunk


class OmniKernelConv2d(nn.Module):
    """kernel = sum_e expert_e * tap * input * output * W_e, in one broadcast product."""

    def __init__(self, channels: int, out_channels: int, kernel: int, experts: int = 3) -> None:
        super().__init__()
        self.sizes = (experts, out_channels, channels, kernel * kernel)
        self.kernel = kernel
        self.weight = nn.Parameter(torch.randn(1, *self.sizes) * (channels * kernel**2) ** -0.5)
        self.hidden = nn.Linear(channels, 8)
        self.heads = nn.ModuleList(nn.Linear(8, size) for size in self.sizes)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        code = F.relu(self.hidden(x.mean((2, 3))))
        kernels = self.weight
        for axis, head in enumerate(self.heads, 1):
            scores = head(code)
            attention = scores.softmax(1) if axis == 1 else scores.sigmoid()
            kernels = kernels * attention.view(batch, *(-1 if at == axis else 1 for at in range(1, 5)))
        mixed = kernels.sum(1).reshape(-1, channels, self.kernel, self.kernel)
        y = F.conv2d(x.reshape(1, batch * channels, height, width), mixed, padding=self.kernel // 2, groups=batch)
        return y.view(batch, -1, height, width)


OMNI_KERNEL = foreign_case(
    name="omni_kernel",
    construct=lambda: Trunk(
        nn.Sequential(OmniKernelConv2d(8, 10, 3), nn.BatchNorm2d(10), nn.ReLU()), width=8, features=10
    ),
    seed=524,
    condconv_layers=("blocks.0.0",),
    routers=("blocks.0.0.heads.0",),
    hidden_routers=("blocks.0.0.hidden",),
    notes="ODConv with all four attentions inside the kernel: linear in each and not in all, moved out exactly",
)
