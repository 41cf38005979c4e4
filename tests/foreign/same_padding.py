"""TensorFlow's SAME rule, computed in forward from the size that arrives, as ported weights need it."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


def missing_px(size_px: int, kernel: int, stride: int, dilation: int = 1) -> int:
    """Pixels to add on one axis so that the output has ceil(size / stride) positions."""
    outputs = -(-size_px // stride)
    return max((outputs - 1) * stride + (kernel - 1) * dilation + 1 - size_px, 0)


def pad_same(x: Tensor, kernel: tuple[int, int], stride: tuple[int, int]) -> Tensor:
    """x (batch, channels, height, width) with the SAME border; the odd pixel goes below and to the right."""
    rows = missing_px(x.shape[-2], kernel[0], stride[0])
    columns = missing_px(x.shape[-1], kernel[1], stride[1])
    if rows == 0 and columns == 0:
        return x
    return F.pad(x, [columns // 2, columns - columns // 2, rows // 2, rows - rows // 2])


class SameConv2d(nn.Conv2d):
    """An ordinary convolution that pads itself by the SAME rule."""

    def forward(self, input: Tensor) -> Tensor:
        size = (self.kernel_size[0], self.kernel_size[1])
        padded = pad_same(input, size, (self.stride[0], self.stride[1]))
        return F.conv2d(padded, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)
