"""Style: only the best k of the experts take part; as zeros in the routing, or by looking their kernels up.

With zeros for the others the kernel is linear in the routing, whatever chose it, and the layer is a CondConv. Kernels
looked up by number are no linear function of those numbers: that layer is kept as it is written, and exact.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.foreign.case import foreign_case
from tests.foreign.trunk import Trunk

_EXPERTS, _BEST = 5, 2


class TopKConv2d(nn.Module):
    """The part both share: scores, a bank, and the batch as groups of one convolution."""

    def __init__(self, channels: int, out_channels: int, kernel: int, *, stride: int = 1) -> None:
        super().__init__()
        self.stride, self.padding = stride, kernel // 2
        self.bank = nn.Parameter(torch.randn(_EXPERTS, out_channels, channels, kernel, kernel) / (3 * kernel))
        self.scores = nn.Linear(channels, _EXPERTS)

    def kernels(self, scores: Tensor) -> Tensor:
        """Scores (batch, experts) to kernels (batch, out, in, kernel, kernel)."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        kernels = self.kernels(self.scores(x.mean((2, 3)))).flatten(0, 1)
        y = F.conv2d(x.reshape(1, batch * channels, height, width), kernels, None, self.stride, self.padding, 1, batch)
        return y.view(batch, -1, *y.shape[2:])


class MaskedTopKConv2d(TopKConv2d):
    """Scores below the k-th best become minus infinity before the softmax."""

    def kernels(self, scores: Tensor) -> Tensor:
        least = scores.topk(_BEST, dim=1).values[:, -1:]
        routing = scores.masked_fill(scores < least, float("-inf")).softmax(1)
        return torch.einsum("be,eoihw->boihw", routing, self.bank)


class GatheredTopKConv2d(TopKConv2d):
    """The best kernels are looked up and weighed."""

    def kernels(self, scores: Tensor) -> Tensor:
        best, chosen = scores.topk(_BEST, dim=1)
        weights = best.softmax(1)[:, :, None, None, None, None]
        return (self.bank[chosen] * weights).sum(1)


TOP_K_MASK = foreign_case(
    name="top_k_mask",
    construct=lambda: Trunk(
        nn.Sequential(MaskedTopKConv2d(8, 10, 3, stride=2), nn.BatchNorm2d(10), nn.ReLU()), width=8, features=10
    ),
    seed=521,
    condconv_layers=("blocks.0.0",),
    routers=("blocks.0.0.scores",),
    notes="best two of five experts, the others zero in the routing: linear in it, recognised",
)
TOP_K_GATHER = foreign_case(
    name="top_k_gather",
    construct=lambda: Trunk(
        nn.Sequential(GatheredTopKConv2d(8, 10, 3, stride=2), nn.BatchNorm2d(10), nn.ReLU()), width=8, features=10
    ),
    seed=522,
    refused=(("blocks.0.0", "linear"),),
    routers=("blocks.0.0.scores",),
    notes="best two kernels looked up by TopK's numbers: refused, not linear in the scores; kept as it is",
)
