"""Running statistics of batch norm measured again, of the finished weights on whole pictures."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

BATCH = 256
"""Pictures that are normalised together: many, so that a batch's statistics are nearly those of all pictures."""


def measure_statistics_again(module: nn.Module, images: Tensor, generator: torch.Generator) -> None:
    """Every batch norm holds the statistics that reach it with the module's weights as they are, in eval mode.

    The average that training leaves behind is of weights that were still changing, on distorted pictures, with blocks
    dropped. Where blocks amplify (squeeze-excite, routing), that small error grows with depth: accuracy is lost, and
    rounding to 8 bits loses the rest. Each statistic here is the plain mean over batches of about `BATCH` `images`
    (count, channels, height, width), drawn once each in an order of the generator's.

    Source: Wu and Johnson, Rethinking "Batch" in BatchNorm, 2021, section 3 (PreciseBN).
    """
    norms = [part for part in module.modules() if isinstance(part, _BatchNorm) and part.track_running_stats]
    momenta = [norm.momentum for norm in norms]
    module.eval()  # no dropout, no dropped blocks: only the norms look at their batch
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a cumulative average
        norm.train()
    order = torch.randperm(len(images), generator=generator)
    try:
        with torch.no_grad():
            for chosen in order.chunk(math.ceil(len(images) / BATCH)):
                module(images[chosen])
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        module.eval()
