"""Bias correction: the mean shift that rounding the weights causes is taken out of the bias.

Nagel et al. 2019 (arXiv 1906.04721), section 4.2, with the channel means of calibration in place of those derived
from BatchNorm: E[y~] - E[y] = sum over inputs and kernel of (Q(w) - w) E[x]. The means are over all positions and the
zeros of padding are no part of them: near a border the correction is too large by the share of the kernel that lies
outside. Of a CondConv each expert's shift counts by its mean routing.

The weights stay as they are: a layer that is not rounded afterwards must not be corrected.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.quantize.improve.layers import Part, read_layer, rebuilt
from condmix.exporters.quantize.parameters import INT8_SYMMETRIC, Grid, stored
from condmix.exporters.quantize.ranges import Ranges
from condmix.exporters.rewrite.rule import Exactness, Refusal

MARK = "condmix.bias_corrected"
"""Metadata key of a layer whose bias already holds the correction."""


@dataclass(frozen=True)
class CorrectBias:
    """A layer with stored weights gets the bias under which its rounded weights are right on average, once."""

    ranges: Ranges
    grid: Grid = INT8_SYMMETRIC
    left_alone: frozenset[str] = frozenset()
    """Names of the outputs of layers that keep their bias."""
    name: str = "correct_bias"
    exactness: Exactness = Exactness.APPROXIMATE

    def match(self, node: ir.Node) -> Replacement | Refusal | None:
        layer = read_layer(node)
        if layer is None or MARK in node.metadata_props or layer.output_name in self.left_alone:
            return None
        means = self.ranges.channel_means.get(layer.x.name or "")
        if means is None or means.shape != (layer.parts[-1].inputs.stop,):
            return Refusal(reason=f"calibration knows no channel means of '{layer.x.name}'")
        routing = np.ones((1, 1))
        if layer.routing is not None:
            rows = self.ranges.routing.get(layer.routing.name or "")
            if rows is None:
                return Refusal(reason=f"calibration knows no routing of '{layer.routing.name}'")
            routing = rows
        shifts = [
            mean_shift(part, means[part.inputs], routing.mean(axis=0, dtype=np.float64), self.grid)
            for part in layer.parts
        ]
        corrected = [replace(part, bias_o=part.bias_o - shift) for part, shift in zip(layer.parts, shifts, strict=True)]
        builder = NodeBuilder(layer.path)
        result = rebuilt(layer, corrected, builder, marks={MARK: "1"})
        largest = max(float(np.abs(shift).max(initial=0.0)) for shift in shifts)
        note = f"the bias takes back a shift of {largest:.2g} at most"
        return Replacement(removed=(node,), results=((layer.output, result),), builder=builder, note=note)


def mean_shift(part: Part, means_i: np.ndarray, routing_e: np.ndarray, grid: Grid) -> np.ndarray:
    """By how much rounding the weights moves each output channel on average, (out,), in float64."""
    scales = part.scales(grid).astype(np.float64)[None, :, None, None, None]
    numbers = stored(part.weight_eoihw, scales, 0, grid)
    change = replace(part, weight_eoihw=numbers * scales - part.weight_eoihw)
    by_group = means_i.astype(np.float64).reshape(part.settings.group, -1)
    shift: np.ndarray = np.einsum("egoihw,gi,e->go", change.grouped, by_group, routing_e)
    return shift.reshape(-1)
