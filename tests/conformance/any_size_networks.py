"""Networks for any height and width, in the styles in which people write them; each as small as it can be."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BASE = (24, 24)


def same(x: Tensor, kernel: int, stride: int, dilation: int = 1) -> Tensor:
    """TensorFlow's SAME, left out where it adds nothing, as timm writes it."""
    total = [
        max((math.ceil(n / stride) - 1) * stride + (kernel - 1) * dilation + 1 - n, 0) for n in reversed(x.shape[-2:])
    ]
    if max(total) > 0:
        x = F.pad(x, [amount for one in total for amount in (one // 2, one - one // 2)])
    return x


class SameConv(nn.Conv2d):
    """A convolution with SAME padding at any stride, dilation and number of groups."""

    def forward(self, x: Tensor) -> Tensor:
        x = same(x, self.kernel_size[0], self.stride[0], self.dilation[0])
        return F.conv2d(x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


class SameCondConv(nn.Module):
    """CondConv by the batch-in-groups trick, SAME padded, its routing from the pooled input."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int, experts: int = 3) -> None:
        super().__init__()
        fan = channels_in * kernel * kernel
        self.bank = nn.Parameter(torch.randn(experts, channels_out, channels_in, kernel, kernel) / math.sqrt(fan))
        self.routing = nn.Linear(channels_in, experts)
        nn.init.normal_(self.routing.weight, std=3.0)
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        kernels = torch.einsum("be,eoikl->boikl", torch.sigmoid(self.routing(x.mean((2, 3)))), self.bank)
        x = same(x, self.bank.shape[-1], self.stride)
        count = len(x)
        y = F.conv2d(x.reshape(1, -1, *x.shape[2:]), kernels.flatten(0, 1), stride=self.stride, groups=count)
        return y.reshape(count, -1, *y.shape[2:])


class Segmenter(nn.Module):
    """Fully convolutional: SAME CondConv at stride 2, a dilated SAME layer, a decoder joined with the maps before."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv(3, 6, 3, 2)
        self.cond = SameCondConv(6, 8, 3, 2)
        self.context = SameConv(8, 8, 3, 2, dilation=2)
        self.up = SameCondConv(8, 6, 1, 1)
        self.head = nn.Conv2d(6, 4, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a = torch.relu(self.stem(x))
        b = torch.relu(self.cond(a))
        c = F.interpolate(self.context(b), size=b.shape[-2:], mode="bilinear") + b
        d = F.interpolate(self.up(c), size=a.shape[-2:], mode="nearest") + a
        maps = self.head(d)
        cells = maps.view(len(x), 2, 2, *maps.shape[2:]).permute(0, 1, 3, 4, 2).reshape(len(x), -1, 2)
        return F.interpolate(maps, scale_factor=2, mode="nearest"), cells


class SqueezeExcite(nn.Module):
    """Channel gates from the pooled map."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduce, self.expand = nn.Conv2d(channels, 4, 1), nn.Conv2d(4, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        gates: Tensor = self.expand(torch.relu(self.reduce(F.adaptive_avg_pool2d(x, 1))))
        return x * torch.sigmoid(gates)


class SameMix(nn.Module):
    """MixNet's block: SAME MixConv at stride 2 with a squeeze-excite, a residual, global pooling, a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 1, 1)
        self.branches = nn.ModuleList(SameConv(4, 4, kernel, 2, groups=4) for kernel in (3, 5))
        self.gate = SqueezeExcite(8)
        self.body = nn.Conv2d(8, 8, 3, padding=1)
        self.classifier = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x))
        x = torch.cat([branch(part) for branch, part in zip(self.branches, x.split(4, 1), strict=True)], 1)
        x = self.gate(x)
        # SAME pooling: left out where the map is even.
        x = F.max_pool2d(same(torch.relu(x + self.body(x)), 2, 2), 2)
        logits: Tensor = self.classifier(x.mean((2, 3)))
        return logits


class Flattened(nn.Module):
    """A linear layer on the map itself."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, 2, 1)
        self.classifier = nn.Linear(4 * 12 * 12, 5)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(torch.relu(self.conv(x)).flatten(1))
        return logits


class Anchored(nn.Module):
    """Centres of cells, made for the size that was traced."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 3, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        rows = torch.arange(y.shape[2], dtype=x.dtype)[:, None] + 0.5
        columns = torch.arange(y.shape[3], dtype=x.dtype)[None] + 0.5
        return y + torch.stack([rows.expand(y.shape[2:]), columns.expand(y.shape[2:])])


def segmenter() -> nn.Module:
    """For --factory."""
    return Segmenter()
