"""Style: CondConv that is neither dense nor depthwise: two to four groups, some of it dilated.

At batch 1 the group attribute of the captured convolution is the layer's own, and it must not be taken for
the batch; the kernel's second axis is in/groups, which shows nowhere else.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.foreign.case import foreign_case
from tests.foreign.trunk import Trunk


class GroupedMixture(nn.Module):
    """3x3 layer with `groups` channel groups; padding equals dilation: only the stride changes the size."""

    def __init__(
        self,
        channels: int,
        out_channels: int,
        groups: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        experts: int = 4,
    ) -> None:
        super().__init__()
        self.groups, self.stride, self.dilation = groups, stride, dilation
        self.out_channels = out_channels
        self.routing = nn.Linear(channels, experts)
        within = channels // groups
        self.bank = nn.Parameter(torch.randn(experts, out_channels, within, 3, 3) * (9 * within) ** -0.5)

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        routing = self.routing(F.avg_pool2d(x, (h, w)).view(b, c)).sigmoid()
        kernels = (routing @ self.bank.view(self.bank.shape[0], -1)).view(-1, *self.bank.shape[2:])
        y = F.conv2d(
            x.reshape(1, b * c, h, w),
            kernels,
            stride=self.stride,
            padding=self.dilation,
            dilation=self.dilation,
            groups=b * self.groups,
        )
        return y.view(b, self.out_channels, y.shape[2], y.shape[3])


def shuffled(x: Tensor, groups: int) -> Tensor:
    """Channels dealt out anew between two grouped layers, so that every group sees every other."""
    b, c, h, w = x.shape
    return x.view(b, groups, c // groups, h, w).transpose(1, 2).reshape(b, c, h, w)


class GroupedUnit(nn.Module):
    """Two groups strided, four groups dilated with a shuffle between, three groups behind."""

    def __init__(self) -> None:
        super().__init__()
        self.two = GroupedMixture(8, 12, 2, stride=2)
        self.two_norm = nn.BatchNorm2d(12)
        self.four = GroupedMixture(12, 12, 4, dilation=2, experts=3)
        self.four_norm = nn.BatchNorm2d(12)
        self.three = GroupedMixture(12, 18, 3, experts=5)
        self.three_norm = nn.BatchNorm2d(18)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.two_norm(self.two(x)))
        x = F.relu(self.four_norm(self.four(shuffled(x, 2))))
        return F.relu(self.three_norm(self.three(x)))


_LAYERS = ("blocks.0.two", "blocks.0.four", "blocks.0.three")
GROUPED_DENSE = foreign_case(
    name="grouped_dense",
    construct=lambda: Trunk(GroupedUnit(), width=8, features=18),
    seed=150,
    input_size=(3, 28, 24),
    condconv_layers=_LAYERS,
    routers=tuple(f"{path}.routing" for path in _LAYERS),
    notes="groups 2 (stride 2), 4 (dilation 2) and 3; 3, 4 and 5 experts; rectangular images",
)
