"""Mixed depthwise convolution (MixConv, arXiv 1907.09595): the channels are split into groups, each group has
its own kernel size, the results are joined again."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from condmix.models.errors import SettingsError
from condmix.models.padding import Padding, conv2d

Partition = Literal["equal", "exponential"]

KERNEL_SIZES = (3, 5, 7, 9, 11)
"""The kernel of group i is 2 * i + 3, in one to five groups: the search space of the paper (section 3.2)."""


def equal_partition(channels: int, groups: int) -> tuple[int, ...]:
    """Channels of each group, as equal as possible; the whole remainder goes to group 0."""
    share, remainder = divmod(channels, groups)
    return (share + remainder, *([share] * (groups - 1)))


def exponential_partition(channels: int, groups: int) -> tuple[int, ...]:
    """Channels of each group, halving from group to group, the last two alike: 32 in 4 groups is 16, 8, 4, 4.

    What the rounding leaves over goes to group 0, as with equal groups.
    """
    shares = [channels >> (index + 1) for index in range(groups - 1)]
    shares.append(channels >> (groups - 1))
    shares[0] += channels - sum(shares)
    return tuple(shares)


def partition_channels(channels: int, groups: int, partition: Partition) -> tuple[int, ...]:
    """Channels of each group under the named rule; `SettingsError` if a group would be empty."""
    rule = equal_partition if partition == "equal" else exponential_partition
    shares = rule(channels, groups)
    if min(shares) < 1:
        place = "MixConv"
        problem = (
            f"channels is {channels}, too few for groups = {groups} with partition = {partition!r} "
            f"(groups of {shares}); use fewer groups or more channels"
        )
        raise SettingsError(place, [problem])
    return shares


class MixConv2d(nn.Module):
    """A depthwise convolution with one kernel size per group of channels (section 3.1).

    `dilated` replaces a kernel k by a 3x3 kernel with dilation (k - 1) / 2 where the stride is 1; a strided
    layer keeps its true kernels, as the released code does.
    """

    def __init__(
        self,
        channels: int,
        kernel_sizes: Sequence[int],
        *,
        stride: int = 1,
        partition: Partition = "equal",
        dilated: bool = False,
        padding: Padding = "symmetric",
        bias: bool = False,
    ) -> None:
        super().__init__()
        sizes = tuple(kernel_sizes)
        if not sizes or any(size not in KERNEL_SIZES for size in sizes) or list(sizes) != sorted(set(sizes)):
            place = "MixConv2d"
            problem = f"kernel_sizes is {sizes}, expected rising sizes out of {KERNEL_SIZES}"
            raise SettingsError(place, [problem])
        self.channels = channels
        self.splits = partition_channels(channels, len(sizes), partition)
        use_dilation = dilated and stride == 1
        self.branches = nn.ModuleList(
            conv2d(
                share,
                share,
                3 if use_dilation else size,
                stride=stride,
                dilation=(size - 1) // 2 if use_dilation else 1,
                groups=share,
                padding=padding,
                bias=bias,
            )
            for size, share in zip(sizes, self.splits, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) to (batch, channels, h', w')."""
        return _join(self.branches, x, self.splits)


class MixPointwise2d(nn.Module):
    """A 1x1 convolution in groups with split inputs and outputs, written "1.1" for two groups in the paper's
    tables. Where both splits are even it is one convolution with `groups` groups."""

    def __init__(self, in_channels: int, out_channels: int, *, groups: int = 2, bias: bool = False) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.splits = partition_channels(in_channels, groups, "equal")
        self.out_splits = partition_channels(out_channels, groups, "equal")
        self.branches = nn.ModuleList(
            nn.Conv2d(inputs, outputs, 1, bias=bias)
            for inputs, outputs in zip(self.splits, self.out_splits, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in_channels, height, width) to (batch, out_channels, height, width)."""
        return _join(self.branches, x, self.splits)


def _join(branches: nn.ModuleList, x: Tensor, splits: tuple[int, ...]) -> Tensor:
    if len(branches) == 1:
        only: Tensor = branches[0](x)
        return only
    parts = torch.split(x, list(splits), dim=1)
    return torch.cat([branch(part) for branch, part in zip(branches, parts, strict=True)], dim=1)
