"""Lookalike: experts are mixed as in CondConv, and the mixed kernel is then normalised.

Divided by its own norm, standardised to mean zero and deviation one, or divided by the sum of the routing
after the mix: none of them is linear in the routing vector, and all are to be refused.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.foreign.case import foreign_case
from tests.foreign.trunk import Trunk

Normalise = Callable[[Tensor, Tensor], Tensor]


def by_norm(kernels: Tensor, _: Tensor) -> Tensor:
    """Every output channel of (batch, out, in, k, k) has norm one."""
    return F.normalize(kernels.flatten(2), dim=2).view_as(kernels)


def standardised(kernels: Tensor, _: Tensor) -> Tensor:
    """Every output channel has mean zero and deviation one."""
    flat = kernels.flatten(2)
    centred = flat - flat.mean(dim=2, keepdim=True)
    return (centred / (centred.square().mean(dim=2, keepdim=True) + 1e-5).sqrt()).view_as(kernels)


def by_routing_sum(kernels: Tensor, routing: Tensor) -> Tensor:
    """The weighted mean of the experts, the division written behind the mix."""
    return kernels / routing.sum(dim=1).view(-1, 1, 1, 1, 1)


class NormalisedMixture(nn.Module):
    """A five-axis bank; `normalise` sees the mixed kernels and the routing."""

    def __init__(
        self,
        channels: int,
        out_channels: int,
        kernel: int,
        normalise: Normalise,
        *,
        stride: int = 1,
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.normalise, self.stride, self.padding, self.groups = normalise, stride, kernel // 2, groups
        self.weight = nn.Parameter(torch.randn(4, out_channels, channels // groups, kernel, kernel))
        self.fc = nn.Linear(channels, 4)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        routing = torch.sigmoid(self.fc(x.mean((2, 3))))
        mixed = torch.mm(routing, self.weight.flatten(1)).view(batch, *self.weight.shape[1:])
        kernels = self.normalise(mixed, routing).flatten(0, 1)
        y = F.conv2d(
            x.reshape(1, batch * channels, height, width),
            kernels,
            None,
            self.stride,
            self.padding,
            1,
            batch * self.groups,
        )
        return y.view(batch, -1, *y.shape[2:])


def _network(normalise: Normalise) -> nn.Module:
    return Trunk(
        nn.Sequential(NormalisedMixture(8, 8, 3, normalise, stride=2, groups=8), nn.BatchNorm2d(8), nn.ReLU()),
        nn.Sequential(NormalisedMixture(8, 12, 1, normalise), nn.BatchNorm2d(12), nn.ReLU()),
        width=8,
        features=12,
    )


_LAYERS = ("blocks.0.0", "blocks.1.0")
_VARIANTS: tuple[tuple[str, Normalise, str], ...] = (
    ("kernel_by_norm", by_norm, "mixed kernel divided by its norm"),
    ("kernel_standardised", standardised, "weight standardisation of the mixed kernel"),
    ("kernel_by_routing_sum", by_routing_sum, "mixed kernel divided by the sum of the routing"),
)
NORMALISED_KERNELS = tuple(
    foreign_case(
        name=name,
        construct=partial(_network, normalise),
        seed=304 + number,
        refused=tuple((path, "linear") for path in _LAYERS),
        routers=tuple(f"{path}.fc" for path in _LAYERS),
        notes=f"refused, not linear: {notes}",
    )
    for number, (name, normalise, notes) in enumerate(_VARIANTS)
)
