"""Style: the 1x1 layers alone are mixed ("1.1"): inputs and outputs split, a dense 1x1 convolution per pair.

Even shares on both sides are exactly one convolution with group=2; shares that differ are not.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tests.foreign.case import foreign_case
from tests.foreign.trunk import Trunk


class PairedPointwise(nn.Module):
    """Pair i maps in_shares[i] channels to out_shares[i] channels."""

    def __init__(self, in_shares: Sequence[int], out_shares: Sequence[int]) -> None:
        super().__init__()
        self.split_in_channels = list(in_shares)
        self.grouped_conv = nn.ModuleList(
            nn.Conv2d(c_in, c_out, kernel_size=1, bias=False) for c_in, c_out in zip(in_shares, out_shares, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        x_split = torch.split(x, self.split_in_channels, dim=1)
        return torch.cat([conv(t) for conv, t in zip(self.grouped_conv, x_split, strict=True)], dim=1)


def _block(expand: tuple[Sequence[int], Sequence[int]], project: tuple[Sequence[int], Sequence[int]]) -> nn.Module:
    middle, outputs = sum(expand[1]), sum(project[1])
    return nn.Sequential(
        PairedPointwise(*expand),
        nn.BatchNorm2d(middle),
        nn.SiLU(),
        nn.Conv2d(middle, middle, 3, stride=2, padding=1, groups=middle, bias=False),
        nn.BatchNorm2d(middle),
        nn.SiLU(),
        PairedPointwise(*project),
        nn.BatchNorm2d(outputs),
    )


_LAYERS = ("blocks.0.0", "blocks.0.6", "blocks.1.0", "blocks.1.6")
GROUPED_POINTWISE = foreign_case(
    name="grouped_pointwise",
    construct=lambda: Trunk(
        _block(([4, 4], [12, 12]), ([12, 12], [6, 6])),
        _block(([6, 6], [12, 12]), ([8, 8, 8], [6, 6, 6])),
        width=8,
        features=18,
    ),
    seed=207,
    mixconv_layers=_LAYERS,
    notes="even shares on both sides, two groups and once three; the depthwise layers between are ordinary",
)
UNEVEN_POINTWISE = foreign_case(
    name="uneven_pointwise",
    construct=lambda: Trunk(
        _block(([5, 4], [13, 12]), ([13, 12], [8, 7])),
        _block(([8, 7], [10, 20]), ([16, 14], [9, 9])),
        width=9,
        features=18,
    ),
    seed=208,
    mixconv_layers=_LAYERS,
    notes="shares 5/4 to 13/12 and others; the last splits at 16/14 what was joined at 10/20",
)
