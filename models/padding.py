"""Padding of a convolution: symmetric, or TensorFlow's SAME computed from the size at hand."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Padding = Literal["symmetric", "same"]
Pair = tuple[int, int]


def symmetric_padding(kernel_size: int, dilation: int = 1) -> int:
    """The padding on each side that keeps the size at stride 1 for an odd kernel: d*(k-1)/2."""
    return dilation * (kernel_size - 1) // 2


def same_padding(size: int, kernel_size: int, stride: int, dilation: int = 1) -> Pair:
    """Pads (before, after) of one axis such that the output has ceil(size / stride) positions.

    The odd pixel goes after, as TensorFlow's SAME puts it.
    """
    positions = -(-size // stride)
    total = max((positions - 1) * stride + dilation * (kernel_size - 1) + 1 - size, 0)
    return total // 2, total - total // 2


def pad_same(x: Tensor, kernel_size: Pair, stride: Pair, dilation: Pair) -> tuple[Tensor, Pair]:
    """The input as a convolution needs it for SAME, and the symmetric padding left for the convolution.

    `x` is (batch, channels, height, width). Where both sides of each axis get equal pads the input is
    returned untouched and the pads are left to the convolution; otherwise it is padded here.
    """
    top, bottom = same_padding(x.shape[2], kernel_size[0], stride[0], dilation[0])
    left, right = same_padding(x.shape[3], kernel_size[1], stride[1], dilation[1])
    if top == bottom and left == right:
        return x, (top, left)
    return functional.pad(x, (left, right, top, bottom)), (0, 0)


class Conv2dSame(nn.Conv2d):
    """An ordinary convolution whose padding is TensorFlow's SAME at whatever size arrives."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, 0, dilation, groups, bias)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in_channels, height, width) to (batch, out_channels, ceil(h/stride), ceil(w/stride))."""
        padded, padding = pad_same(x, _pair(self.kernel_size), _pair(self.stride), _pair(self.dilation))
        return torch.nn.functional.conv2d(
            padded, self.weight, self.bias, self.stride, padding, self.dilation, self.groups
        )


def _pair(values: tuple[int, ...]) -> Pair:
    height, width = values
    return height, width


def conv2d(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    *,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    padding: Padding = "symmetric",
    bias: bool = False,
) -> nn.Conv2d:
    """An ordinary convolution with the padding asked for.

    SAME at stride 1 with an odd kernel is symmetric at every size, so it becomes a plain `nn.Conv2d` too.
    """
    if padding == "same" and (stride > 1 or dilation * (kernel_size - 1) % 2):
        return Conv2dSame(in_channels, out_channels, kernel_size, stride, dilation, groups, bias)
    pads = symmetric_padding(kernel_size, dilation)
    return nn.Conv2d(in_channels, out_channels, kernel_size, stride, pads, dilation, groups, bias)
