"""Style: routing that is neither sigmoid nor softmax: divided by its sum, purely linear, one expert only.

The kernel is linear in what stands last before the bank. A separator further up has as few elements and the
kernel is not linear in it: sigmoid scores before the division, the chosen index before the one-hot vector.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.foreign.case import foreign_case
from tests.foreign.trunk import Trunk


def normalised(scores: Tensor) -> Tensor:
    """Sigmoid scores divided by their sum over the experts."""
    gates = torch.sigmoid(scores)
    return gates / gates.sum(dim=1, keepdim=True)


def linear(scores: Tensor) -> Tensor:
    """The scores themselves: weights of both signs, of any size."""
    return scores


def one_hot(scores: Tensor) -> Tensor:
    """One for the expert with the highest score, zero for the others."""
    return F.one_hot(scores.argmax(dim=1), scores.shape[1]).to(scores.dtype)


class RoutedConv2d(nn.Module):
    """Bank [experts, out, in/groups, k, k]; what becomes of the scores is a function handed in."""

    def __init__(
        self,
        channels: int,
        out_channels: int,
        kernel: int,
        rule: Callable[[Tensor], Tensor],
        *,
        stride: int = 1,
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.rule, self.stride, self.padding, self.groups = rule, stride, kernel // 2, groups
        shape = (4, out_channels, channels // groups, kernel, kernel)
        self.bank = nn.Parameter(torch.randn(shape) * (shape[2] * kernel**2) ** -0.5)
        self.scores = nn.Linear(channels, shape[0])

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        routing = self.rule(self.scores(x.mean((2, 3))))
        kernels = torch.mm(routing, self.bank.flatten(1)).reshape(-1, *self.bank.shape[2:])
        grouped = x.reshape(1, batch * channels, height, width)
        y = F.conv2d(grouped, kernels, None, self.stride, self.padding, 1, self.groups * batch)
        return y.reshape(batch, -1, *y.shape[2:])


def _network(rule: Callable[[Tensor], Tensor]) -> nn.Module:
    return Trunk(
        nn.Sequential(RoutedConv2d(8, 8, 3, rule, stride=2, groups=8), nn.BatchNorm2d(8), nn.Hardtanh(-2, 2)),
        nn.Sequential(RoutedConv2d(8, 12, 1, rule), nn.BatchNorm2d(12), nn.Hardtanh(-2, 2)),
        nn.Sequential(RoutedConv2d(12, 12, 3, rule), nn.BatchNorm2d(12), nn.Hardtanh(-2, 2)),
        width=8,
        features=12,
    )


_LAYERS = tuple(f"blocks.{block}.0" for block in range(3))
_case = partial(foreign_case, condconv_layers=_LAYERS, routers=tuple(f"{path}.scores" for path in _LAYERS))
ROUTING_NORMALISED = _case(
    name="routing_normalised",
    construct=partial(_network, normalised),
    seed=160,
    notes="scores and quotient are both (1, 4): the kernel is linear in the quotient only",
)
ROUTING_LINEAR = _case(
    name="routing_linear",
    construct=partial(_network, linear),
    seed=161,
    routing_spread=1.0,
    notes="no activation: the kernel is affine even in the pooled features; negative and unbounded weights",
)
ROUTING_ONE_HOT = _case(
    name="routing_one_hot",
    construct=partial(_network, one_hot),
    seed=162,
    routing_spread=0.7,  # of the size of the biases, which would not sway the choice otherwise
    notes=(
        "hard routing is recognised: linear behind the one-hot vector (1, 4), though an integer index stands "
        "before it; a tie, or scores closer than rounding, may choose another expert after export"
    ),
)
