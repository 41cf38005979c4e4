"""Style: the mix is spelled out over the experts, not one matrix product; five spellings, a network each.

stack-multiply-sum over a ParameterList, a running sum, an einsum, whole Conv2d modules whose weights are
mixed, and a broadcast product summed over its expert axis.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.foreign.case import foreign_case
from tests.foreign.trunk import Trunk

_EXPERTS = 4


class SummedConv2d(nn.Module):
    """The part all spellings share: routing, then the batch as groups of one convolution."""

    def __init__(self, channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.shape = (out_channels, channels // groups, kernel, kernel)
        self.stride, self.padding, self.groups = stride, kernel // 2, groups
        self.router = nn.Linear(channels, _EXPERTS)

    def random_kernel(self, *leading: int) -> Tensor:
        """Seeded start values (*leading, out, in/groups, kernel, kernel)."""
        fan_in = self.shape[1] * self.shape[2] * self.shape[3]
        return torch.randn(*leading, *self.shape) / math.sqrt(fan_in)

    def mix(self, routing: Tensor) -> Tensor:
        """Routing (batch, experts) to kernels (batch, out, in/groups, kernel, kernel)."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        kernels = self.mix(torch.sigmoid(self.router(x.mean(dim=[2, 3])))).flatten(0, 1)
        grouped = x.reshape(1, batch * channels, height, width)
        y = F.conv2d(grouped, kernels, stride=self.stride, padding=self.padding, groups=batch * self.groups)
        return torch.unflatten(y, 1, (batch, self.shape[0])).squeeze(0)


class StackSum(SummedConv2d):
    def __init__(self, channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(channels, out_channels, kernel, stride, groups)
        self.experts = nn.ParameterList(nn.Parameter(self.random_kernel()) for _ in range(_EXPERTS))

    def mix(self, routing: Tensor) -> Tensor:
        bank = torch.stack(list(self.experts), dim=0)
        weighted = [routing[:, e].view(-1, 1, 1, 1, 1) * bank[e] for e in range(_EXPERTS)]
        return torch.stack(weighted, dim=1).sum(dim=1)


class RunningSum(SummedConv2d):
    def __init__(self, channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(channels, out_channels, kernel, stride, groups)
        self.weight = nn.Parameter(self.random_kernel(_EXPERTS))

    def mix(self, routing: Tensor) -> Tensor:
        w = torch.zeros(routing.shape[0], *self.shape, dtype=routing.dtype)
        for e in range(_EXPERTS):
            w = w + routing[:, e, None, None, None, None] * self.weight[e]
        return w


class EinsumMix(RunningSum):
    def mix(self, routing: Tensor) -> Tensor:
        return torch.einsum("be,eoihw->boihw", routing, self.weight)


class BroadcastSum(RunningSum):
    def mix(self, routing: Tensor) -> Tensor:
        return (routing[:, :, None, None, None, None] * self.weight[None]).sum(1)


class ExpertModules(SummedConv2d):
    def __init__(self, channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(channels, out_channels, kernel, stride, groups)
        self.convs = nn.ModuleList(
            nn.Conv2d(channels, out_channels, kernel, groups=groups, bias=False) for _ in range(_EXPERTS)
        )
        for conv in self.convs:
            conv.get_parameter("weight").data.copy_(self.random_kernel())

    def mix(self, routing: Tensor) -> Tensor:
        kernels = torch.zeros(())
        for gate, conv in zip(routing.unbind(dim=1), self.convs, strict=True):
            kernels = kernels + gate.reshape(-1, 1, 1, 1, 1) * conv.get_parameter("weight").unsqueeze(0)
        return kernels


def _network(layer: Callable[..., SummedConv2d]) -> nn.Module:
    return Trunk(
        nn.Sequential(layer(8, 12, 3, stride=2), nn.BatchNorm2d(12), nn.ReLU()),
        nn.Sequential(layer(12, 12, 5, groups=12), nn.BatchNorm2d(12), nn.ReLU()),
        nn.Sequential(layer(12, 16, 1), nn.BatchNorm2d(16), nn.ReLU()),
        width=8,
        features=16,
    )


_LAYERS = tuple(f"blocks.{block}.0" for block in range(3))
_SPELLINGS: tuple[tuple[str, type[SummedConv2d], str], ...] = (
    ("stack_sum", StackSum, "ParameterList stacked, each expert weighted, stacked again, summed"),
    ("running_sum", RunningSum, "w = w + r[:, e] * weight[e], begun with zeros"),
    ("einsum_mix", EinsumMix, "one Einsum node"),
    ("broadcast_sum", BroadcastSum, "six-axis product, summed over the expert axis"),
    ("expert_modules", ExpertModules, "a ModuleList of Conv2d that are never called, their weights mixed"),
)
WEIGHTED_SUMS = tuple(
    foreign_case(
        name=name,
        construct=partial(_network, spelling),
        seed=110 + number,
        condconv_layers=_LAYERS,
        routers=tuple(f"{path}.router" for path in _LAYERS),
        notes=notes,
    )
    for number, (name, spelling, notes) in enumerate(_SPELLINGS)
)
