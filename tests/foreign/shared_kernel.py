"""Style: one mixed kernel for the whole call, a single static bias, routing behind flatten and dropout.

The flatten takes the batch axis along, so the routing layer only fits a batch of one: PyTorch itself fails
beyond it. An export at batch 1 is right, and whatever it does at larger batches has nothing to be compared
with.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.foreign.case import foreign_case
from tests.foreign.trunk import Trunk


class KernelRouting(nn.Module):
    """Pooled map to a vector (experts,) without a batch axis."""

    def __init__(self, channels: int, experts: int, dropout_rate: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout_rate)
        self.fc = nn.Linear(channels, experts)

    def forward(self, pooled: Tensor) -> Tensor:
        return torch.sigmoid(self.fc(self.dropout(torch.flatten(pooled))))


class SharedKernelConv2d(nn.Module):
    """An ordinary convolution call with the mixed kernel; `bias` [out] belongs to no expert."""

    def __init__(
        self,
        channels: int,
        out_channels: int,
        kernel: int,
        *,
        stride: int = 1,
        groups: int = 1,
        experts: int = 3,
    ) -> None:
        super().__init__()
        self.stride, self.padding, self.groups = stride, kernel // 2, groups
        shape = (experts, out_channels, channels // groups, kernel, kernel)
        self.weight = nn.Parameter(torch.randn(shape) * (shape[2] * kernel**2) ** -0.5)
        self.bias = nn.Parameter(torch.randn(out_channels))
        self.routing = KernelRouting(channels, experts, dropout_rate=0.2)

    def forward(self, x: Tensor) -> Tensor:
        routing = self.routing(F.adaptive_avg_pool2d(x, output_size=(1, 1)))
        kernel = torch.sum(routing[:, None, None, None, None] * self.weight, 0)
        return F.conv2d(x, kernel, self.bias, self.stride, self.padding, 1, self.groups)


def _network() -> nn.Module:
    return Trunk(
        nn.Sequential(SharedKernelConv2d(8, 8, 3, stride=2, groups=8), nn.BatchNorm2d(8), nn.ReLU()),
        nn.Sequential(SharedKernelConv2d(8, 12, 1), nn.BatchNorm2d(12), nn.ReLU()),
        nn.Sequential(SharedKernelConv2d(12, 12, 3), nn.BatchNorm2d(12), nn.ReLU()),
        width=8,
        features=12,
    )


_LAYERS = tuple(f"blocks.{block}.0" for block in range(3))
SHARED_KERNEL = foreign_case(
    name="shared_kernel",
    construct=_network,
    seed=131,
    condconv_layers=_LAYERS,
    routers=tuple(f"{path}.routing.fc" for path in _LAYERS),
    batch_safe=False,
    notes="routing is (experts,) without batch axis; static unmixed bias; raises at batch > 1",
)
