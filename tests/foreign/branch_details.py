"""Style: branches that are more than a convolution: each has a BatchNorm of its own, or a bias."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from tests.foreign.case import foreign_case
from tests.foreign.trunk import Trunk


class SplitJoin(nn.Module):
    """Split into the branches' shares, run them, join; what a branch is made of is handed in."""

    def __init__(self, shares: tuple[int, ...], branches: list[nn.Module]) -> None:
        super().__init__()
        self.shares = list(shares)
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        parts = torch.split(x, self.shares, dim=1)
        return torch.cat([branch(part) for branch, part in zip(self.branches, parts, strict=True)], dim=1)


def normed_branch(c_in: int, c_out: int, kernel: int, stride: int) -> nn.Module:
    """Convolution and a BatchNorm of its own; depthwise unless it is a 1x1."""
    groups = 1 if kernel == 1 else c_in
    conv = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(c_out))


def biased_branch(c_in: int, c_out: int, kernel: int, stride: int) -> nn.Module:
    """Convolution with a bias; depthwise unless it is a 1x1."""
    conv = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=1 if kernel == 1 else c_in)
    assert conv.bias is not None
    nn.init.normal_(conv.bias)
    return conv


Branch = Callable[[int, int, int, int], nn.Module]


def _network(branch: Branch, behind: Callable[[int], nn.Module]) -> nn.Module:
    def depthwise(shares: tuple[int, ...], stride: int) -> SplitJoin:
        return SplitJoin(shares, [branch(c, c, 3 + 2 * i, stride) for i, c in enumerate(shares)])

    return Trunk(
        nn.Sequential(depthwise((4, 4, 4), 2), behind(12), nn.ReLU()),
        nn.Sequential(SplitJoin((6, 6), [branch(6, 8, 1, 1), branch(6, 8, 1, 1)]), behind(16), nn.ReLU()),
        nn.Sequential(depthwise((8, 4, 4), 1), behind(16), nn.ReLU()),
        width=12,
        features=16,
    )


def _no_norm(_: int) -> nn.Module:
    return nn.Identity()


_case = partial(foreign_case, mixconv_layers=("blocks.0.0", "blocks.1.0", "blocks.2.0"))
BRANCH_NORM = _case(
    name="branch_norm",
    construct=partial(_network, normed_branch, _no_norm),
    seed=210,
    notes="BatchNorm inside every branch, nothing but the activation behind the concat",
)
BRANCH_BIAS = _case(
    name="branch_bias",
    construct=partial(_network, biased_branch, nn.BatchNorm2d),
    seed=211,
    notes="bias in every branch and a BatchNorm behind the concat",
)
