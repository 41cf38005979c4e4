"""Style: MixConv as a dictionary of branches "0", "1", ...; torch.split, branches, concat, BatchNorm behind.

The same class serves depthwise layers (one kernel size a branch) and two-group 1x1 layers (both sides
split). In ported weights every strided branch pads itself by the SAME rule, so one split meets as many pads
as branches.
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.foreign.case import foreign_case
from tests.foreign.same_padding import SameConv2d
from tests.foreign.trunk import Trunk


def shares(channels: int, branches: int) -> list[int]:
    """Equal shares, the whole remainder to the first."""
    sizes = [channels // branches] * branches
    sizes[0] += channels - sum(sizes)
    return sizes


class DictMixedConv2d(nn.ModuleDict):
    """Branch i convolves its share of the inputs into its share of the outputs with its own kernel size."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_sizes: list[int],
        *,
        stride: int = 1,
        depthwise: bool = False,
        same: bool = False,
    ) -> None:
        super().__init__()
        self.splits = shares(in_channels, len(kernel_sizes))
        for index, (kernel, c_in, c_out) in enumerate(
            zip(kernel_sizes, self.splits, shares(out_channels, len(kernel_sizes)), strict=True)
        ):
            conv_class = SameConv2d if same and stride > 1 else nn.Conv2d
            self[str(index)] = conv_class(
                c_in, c_out, kernel, stride, kernel // 2, groups=c_in if depthwise else 1, bias=False
            )

    def forward(self, x: Tensor) -> Tensor:
        parts = torch.split(x, self.splits, 1)
        return torch.cat([branch(part) for branch, part in zip(self.values(), parts, strict=True)], 1)


class MixedBlock(nn.Module):
    """Two-group expansion, mixed depthwise, squeeze-excite, two-group projection; norms behind concats."""

    def __init__(self, channels: int, out_channels: int, kernels: list[int], *, stride: int, same: bool) -> None:
        super().__init__()
        middle = 10 * len(kernels)
        self.conv_pw = DictMixedConv2d(channels, middle, [1, 1])
        self.bn1 = nn.BatchNorm2d(middle)
        self.conv_dw = DictMixedConv2d(middle, middle, kernels, stride=stride, depthwise=True, same=same)
        self.bn2 = nn.BatchNorm2d(middle)
        self.se_reduce = nn.Conv2d(middle, 4, 1)
        self.se_expand = nn.Conv2d(4, middle, 1)
        self.conv_pwl = DictMixedConv2d(middle, out_channels, [1, 1])
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.has_skip = stride == 1 and channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        y = F.silu(self.bn2(self.conv_dw(F.silu(self.bn1(self.conv_pw(x))))))
        y = y * torch.sigmoid(self.se_expand(F.silu(self.se_reduce(y.mean((2, 3), keepdim=True)))))
        y = self.bn3(self.conv_pwl(y))
        joined: Tensor = y + x if self.has_skip else y
        return joined


def _network(kernels: list[int], *, same: bool) -> nn.Module:
    return Trunk(
        MixedBlock(8, 12, kernels, stride=2, same=same),
        MixedBlock(12, 12, [3, 5], stride=1, same=same),
        width=8,
        features=12,
    )


_LAYERS = tuple(f"blocks.{block}.{layer}" for block in (0, 1) for layer in ("conv_pw", "conv_dw", "conv_pwl"))
SPLIT_DICT = foreign_case(
    name="split_dict",
    construct=partial(_network, [3, 5, 7], same=False),
    seed=201,
    mixconv_layers=_LAYERS,
    notes="depthwise 3.5.7 and 3.5, two-group 1x1 on both sides, norms behind the concats",
)
SPLIT_DICT_SAME = foreign_case(
    name="split_dict_same",
    construct=partial(_network, [3, 5, 7, 9, 11], same=True),
    seed=202,
    input_size=(3, 28, 25),
    mixconv_layers=_LAYERS,
    notes="five-way 3.5.7.9.11 at stride 2, each branch pads itself: unequal on 14 rows, equal on 13 columns",
)
