"""How far float32 itself may be off: PyTorch's own result, and the same with every weight rounded once more.

One float32 run is a single draw: on networks that amplify rounding its error differs sevenfold between orders of
summation, and is small on one image by luck. A rewritten graph is bound to round its weights a second time, so runs
whose weights are moved by half a unit and rounded again belong to the same measure (backward error: Higham,
Accuracy and Stability of Numerical Algorithms, section 1.5).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import nn

from condmix.exporters.verify.oracle import worst_draw

__all__ = ["float32_draws", "worst_draw"]

HALF_UNIT = 2.0**-24
"""The largest relative error of rounding to float32."""
SEEDS = (1, 2)


def float32_draws(module: nn.Module) -> Iterator[nn.Module]:
    """Copies of the network in float32 and eval mode: as it is, then with every weight rounded once more, at random."""
    yield copy.deepcopy(module).eval().float()
    for seed in SEEDS:
        generator = torch.Generator().manual_seed(seed)
        network = copy.deepcopy(module).eval().double()
        with torch.no_grad():
            for weight in network.state_dict().values():
                if weight.is_floating_point():
                    noise = 2 * torch.rand(weight.shape, generator=generator, dtype=torch.float64) - 1
                    weight *= 1 + HALF_UNIT * noise
        yield network.float()
