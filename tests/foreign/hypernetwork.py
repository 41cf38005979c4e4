"""Lookalike and near relative: a small network computes the kernel from a code of six numbers.

With a tanh behind the last linear map the kernel is not linear in anything small, and the layer is to be
refused; of its depthwise kernels (72 numbers) the kernel itself is a small tensor, which must not count as
its own routing. Without the tanh the columns of that linear map are experts and its bias is a constant
kernel: a CondConv.
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.foreign.case import foreign_case
from tests.foreign.trunk import Trunk


class GeneratedConv2d(nn.Module):
    """Pooled map to a code, code to a kernel, kernel to a convolution with the batch as groups."""

    def __init__(
        self,
        channels: int,
        out_channels: int,
        kernel: int,
        *,
        bounded: bool,
        stride: int = 1,
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.shape = (out_channels, channels // groups, kernel, kernel)
        self.stride, self.groups, self.bounded = stride, groups, bounded
        self.encode = nn.Linear(channels, 6)
        self.generate = nn.Linear(6, out_channels * channels // groups * kernel**2)
        nn.init.normal_(self.generate.weight, std=0.7)
        nn.init.normal_(self.generate.bias, std=0.7)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        code = F.relu(self.encode(x.mean(dim=(2, 3))))
        flat = self.generate(code)
        if self.bounded:
            flat = torch.tanh(flat)
        kernels = flat.view(batch * self.shape[0], *self.shape[1:])
        y = F.conv2d(
            x.reshape(1, batch * channels, height, width),
            kernels,
            stride=self.stride,
            padding=self.shape[2] // 2,
            groups=batch * self.groups,
        )
        return y.view(batch, self.shape[0], *y.shape[2:])


def _network(*, bounded: bool) -> nn.Module:
    layer = partial(GeneratedConv2d, bounded=bounded)
    return Trunk(
        nn.Sequential(layer(8, 8, 3, stride=2, groups=8), nn.BatchNorm2d(8), nn.ReLU()),
        nn.Sequential(layer(8, 12, 1), nn.BatchNorm2d(12), nn.ReLU()),
        nn.Sequential(layer(12, 12, 3, groups=2), nn.BatchNorm2d(12), nn.ReLU()),
        width=8,
        features=12,
    )


_LAYERS = tuple(f"blocks.{block}.0" for block in range(3))
_case = partial(foreign_case, routers=tuple(f"{path}.encode" for path in _LAYERS))
HYPERNETWORK_TANH = _case(
    name="hypernetwork_tanh",
    construct=partial(_network, bounded=True),
    seed=302,
    refused=tuple((path, "linear") for path in _LAYERS),
    notes="kernel = tanh(linear(code)): refused, not linear in a small vector",
)
HYPERNETWORK_LINEAR = _case(
    name="hypernetwork_linear",
    construct=partial(_network, bounded=False),
    seed=303,
    condconv_layers=_LAYERS,
    notes="kernel = linear(code) with bias: six experts and a constant kernel that nothing multiplies",
)
