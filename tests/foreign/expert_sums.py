"""Style: every expert is a convolution of its own and their outputs are weighed and summed; five spellings.

Nobody mixes a kernel here: E convolutions run where one with a mixed kernel would do. A loop over Conv2d modules with
biases and a linear routing shared by a depthwise layer, weights in front of the convolutions, a stack summed by
einsum, one convolution with E times the outputs, and an expert with a norm and padding of its own beside one that is
always on.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.foreign.case import foreign_case
from tests.foreign.trunk import Trunk

_EXPERTS = 4


class LoopedExperts(nn.Module):
    """sum_e r_e conv_e(x) over modules with biases; grouped like the modules."""

    def __init__(self, channels: int, out_channels: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.router = nn.Linear(channels, _EXPERTS)
        self.experts = nn.ModuleList(
            nn.Conv2d(channels, out_channels, kernel, stride, kernel // 2, groups=groups) for _ in range(_EXPERTS)
        )

    def forward(self, x: Tensor) -> Tensor:
        routing = torch.sigmoid(self.router(x.mean((2, 3))))
        parts = [routing[:, index, None, None, None] * expert(x) for index, expert in enumerate(self.experts)]
        total: Tensor = sum(parts[1:], parts[0])
        return total


class WeighedInputs(nn.Module):
    """sum_e conv_e(r_e x): the weight stands in front of the convolution."""

    def __init__(self, channels: int, out_channels: int, kernel: int, *, stride: int = 1) -> None:
        super().__init__()
        self.gates = nn.Conv2d(channels, _EXPERTS, 1)
        self.experts = nn.ModuleList(
            nn.Conv2d(channels, out_channels, kernel, stride, kernel // 2, bias=index == 0) for index in range(_EXPERTS)
        )

    def forward(self, x: Tensor) -> Tensor:
        gates = self.gates(F.adaptive_avg_pool2d(x, 1)).softmax(1).chunk(_EXPERTS, 1)
        y = self.experts[0](x * gates[0])
        for gate, expert in zip(gates[1:], list(self.experts)[1:], strict=True):
            y = y + expert(x * gate)
        mapped: Tensor = y
        return mapped


class StackedExperts(nn.Module):
    """All outputs stacked, then contracted with the routing by einsum."""

    def __init__(self, channels: int, out_channels: int, kernel: int) -> None:
        super().__init__()
        self.router = nn.Linear(channels, _EXPERTS)
        self.experts = nn.ModuleList(
            nn.Conv2d(channels, out_channels, kernel, padding=kernel // 2, bias=False) for _ in range(_EXPERTS)
        )

    def forward(self, x: Tensor) -> Tensor:
        routing = self.router(x.flatten(2).mean(-1)).softmax(-1)
        return torch.einsum("behwo,be->bohw", torch.stack([e(x).movedim(1, -1) for e in self.experts], 1), routing)


class FusedExperts(nn.Module):
    """One convolution computes all experts; its outputs are viewed as [experts, out] and summed."""

    def __init__(self, channels: int, out_channels: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.router = nn.Linear(channels, _EXPERTS)
        self.all_experts = nn.Conv2d(channels, _EXPERTS * out_channels, kernel, stride, kernel // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        routing = torch.sigmoid(self.router(x.mean((2, 3))))
        outputs = self.all_experts(x).unflatten(1, (_EXPERTS, -1))
        return (outputs * routing[:, :, None, None, None]).sum(1)


class NormedExpertsAndOne(nn.Module):
    """Two experts with a BatchNorm each under one gate (g and 1 - g), and a third without a weight."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.gate = nn.Linear(channels, 1)
        self.first, self.second, self.always = (
            nn.Sequential(
                nn.ZeroPad2d((0, 1, 0, 1)),
                nn.Conv2d(channels, out_channels, 2, bias=False),
                nn.BatchNorm2d(out_channels),
            )
            for _ in range(3)
        )

    def forward(self, x: Tensor) -> Tensor:
        gate = torch.sigmoid(self.gate(x.mean((2, 3))))[..., None, None]
        mixed: Tensor = gate * self.first(x) + (1 - gate) * self.second(x) + self.always(x)
        return mixed


def _unit(layer: nn.Module, channels: int) -> nn.Module:
    return nn.Sequential(layer, nn.BatchNorm2d(channels), nn.SiLU())


EXPERT_OUTPUTS = foreign_case(
    name="expert_outputs",
    construct=lambda: Trunk(
        _unit(LoopedExperts(8, 8, 3, stride=2, groups=8), 8),
        _unit(LoopedExperts(8, 12, 1), 12),
        width=8,
        features=12,
    ),
    seed=501,
    condconv_layers=("blocks.0.0", "blocks.1.0"),
    routers=("blocks.0.0.router", "blocks.1.0.router"),
    notes="E convolutions with biases, outputs weighed and added in a loop; depthwise and 1x1",
)
EXPERT_INPUTS = foreign_case(
    name="expert_inputs",
    construct=lambda: Trunk(_unit(WeighedInputs(8, 10, 3, stride=2), 10), width=8, features=10),
    seed=502,
    condconv_layers=("blocks.0.0",),
    routers=("blocks.0.0.gates",),
    notes="E convolutions of the weighed map, outputs added; one has a bias, which nothing weighs",
)
EXPERT_STACK = foreign_case(
    name="expert_stack",
    construct=lambda: Trunk(_unit(StackedExperts(8, 10, 3), 10), width=8, features=10),
    seed=503,
    condconv_layers=("blocks.0.0",),
    routers=("blocks.0.0.router",),
    notes="outputs of E convolutions stacked channels last, contracted with the routing by einsum",
)
EXPERT_FUSED = foreign_case(
    name="expert_fused",
    construct=lambda: Trunk(_unit(FusedExperts(8, 12, 3, 2), 12), width=8, features=12),
    seed=504,
    condconv_layers=("blocks.0.0",),
    routers=("blocks.0.0.router",),
    notes="one convolution with E times the outputs, viewed as experts, weighed and summed",
)
EXPERT_GATE = foreign_case(
    name="expert_gate",
    construct=lambda: Trunk(_unit(NormedExpertsAndOne(8, 10), 10), width=8, features=10),
    seed=505,
    condconv_layers=("blocks.0.0",),
    hidden_routers=("blocks.0.0.gate",),
    notes="g conv + (1 - g) conv + conv, a BatchNorm and an uneven padding each",
)
EXPERT_SUMS = (EXPERT_OUTPUTS, EXPERT_INPUTS, EXPERT_STACK, EXPERT_FUSED, EXPERT_GATE)
