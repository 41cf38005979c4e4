"""Other branches for the same MixConv: cut at any channels, each piece one depthwise kernel.

A depthwise convolution treats channels alone, so its branches may be cut anywhere; a piece that holds channels of
several branches is one convolution with the largest kernel, in which the smaller kernels sit among zeros. With cuts at
multiples of the runtime's block a few 3x3 channels move into the 5x5 branch; without any all branches are one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from condmix.exporters.lower.mixconv_merged import merged_settings, merged_weight
from condmix.exporters.named.mixconv import Branch, MixConvLayer


def cut_problem(layer: MixConvLayer, cuts: Sequence[int]) -> str | None:
    """Why the layer cannot be cut there; None when it can."""
    if not layer.is_depthwise:
        return "only depthwise branches can be cut elsewhere: these mix channels"
    channels = layer.input_chw[0]
    bounds = (0, *cuts, channels)
    if all(before < after for before, after in pairwise(bounds)):
        return None
    shown = ",".join(map(str, cuts))
    return f"the cuts {shown} must rise and lie between 0 and its {channels} channels"


def recut(layer: MixConvLayer, cuts: Sequence[int]) -> MixConvLayer:
    """The same function with a branch for every piece between two cuts. The cuts must be free of `cut_problem`."""
    bounds = (0, *cuts, layer.input_chw[0])
    pieces = [_piece(layer, start, stop) for start, stop in pairwise(bounds)]
    return replace(layer, branches=tuple(pieces))


def sliced(branch: Branch, start: int, stop: int) -> Branch:
    """Channels start to stop of a depthwise branch."""
    return replace(
        branch,
        in_channels=stop - start,
        weight_oihw=branch.weight_oihw[start:stop],
        bias_o=branch.bias_o[start:stop],
        settings=replace(branch.settings, group=stop - start),
    )


def _piece(layer: MixConvLayer, start: int, stop: int) -> Branch:
    parts: list[Branch] = []
    first = 0
    for branch in layer.branches:
        low, high = max(start, first), min(stop, first + branch.in_channels)
        if low < high:
            parts.append(sliced(branch, low - first, high - first))
        first += branch.in_channels
    if len(parts) == 1:
        return parts[0]
    width = stop - start
    alone = replace(
        layer,
        branches=tuple(parts),
        input_chw=(width, *layer.input_chw[1:]),
        output_chw=(width, *layer.output_chw[1:]),
    )
    settings = merged_settings(alone)
    return Branch(
        in_channels=width,
        weight_oihw=merged_weight(alone, settings),
        bias_o=np.concatenate([part.bias_o for part in parts]),
        settings=settings,
    )
