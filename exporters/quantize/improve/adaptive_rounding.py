"""Adaptive rounding: weights go to the numbers of their grid that move the layer's output least on calibration images.

The question is that of Nagel et al. 2020, Up or Down? Adaptive Rounding for Post-Training Quantization (arXiv
2004.10568); the answer is found without training, by second-order error compensation (error_compensation.py).
The experts of a CondConv are rounded one by one, expert e by H_e = sum of r_e^2 x x^T; a branch of a depthwise
convolution has a small H for each channel.

Weights become exact multiples of their scale, and the largest weight of each channel keeps its number: whoever takes
scales and numbers from the weights afterwards finds these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.quantize.improve import correct_bias
from condmix.exporters.quantize.improve.error_compensation import compensated
from condmix.exporters.quantize.improve.layers import Part, read_layer, rebuilt
from condmix.exporters.quantize.improve.patches import Seen
from condmix.exporters.quantize.parameters import INT8_SYMMETRIC, Grid
from condmix.exporters.rewrite.rule import Exactness, Refusal

MARK = "condmix.rounded"
"""Metadata key of a layer whose weights already lie on their grid."""


@dataclass(frozen=True)
class AdaptiveRounding:
    """A layer of which there are samples gets weights on their grid, once.

    With `with_bias`, what is left of the mean shift is taken out of the bias, and weights answer for the rest only.
    """

    seen: Mapping[str, Seen]
    """By the name of the layer's output."""
    with_bias: bool = False
    grid: Grid = INT8_SYMMETRIC
    name: str = "adaptive_rounding"
    exactness: Exactness = Exactness.APPROXIMATE

    def match(self, node: ir.Node) -> Replacement | Refusal | None:
        layer = read_layer(node)
        if layer is None or MARK in node.metadata_props:
            return None
        seen = self.seen.get(layer.output_name)
        if seen is None:
            return None
        if any(not np.isfinite(patches).all() for patches in seen.patches):
            return Refusal(reason="its input is not finite on a calibration image")
        parts = [
            rounded(part, patches, seen.routing, self.grid, with_bias=self.with_bias)
            for part, patches in zip(layer.parts, seen.patches, strict=True)
        ]
        marks = {MARK: "1", correct_bias.MARK: "1"} if self.with_bias else {MARK: "1"}
        builder = NodeBuilder(layer.path)
        result = rebuilt(layer, parts, builder, marks=marks)
        note = f"rounded by {len(seen.routing)} samples of its input"
        return Replacement(removed=(node,), results=((layer.output, result),), builder=builder, note=note)


def rounded(
    part: Part, patches_ngk: np.ndarray, routing_ne: np.ndarray, grid: Grid, *, with_bias: bool = False
) -> Part:
    """The part with weights on the grid; see AdaptiveRounding."""
    experts, group = part.weight_eoihw.shape[0], part.settings.group
    scales_o = part.scales(grid).astype(np.float64)
    scale_go = scales_o.reshape(group, -1)
    weight_egok = part.weight_eoihw.astype(np.float64).reshape(experts, *scale_go.shape, -1)
    kept = _largest(part).reshape(weight_egok.shape)
    numbers = np.empty_like(weight_egok)
    shift_go = np.zeros_like(scale_go)
    by_group = np.ascontiguousarray(patches_ngk.transpose(1, 0, 2))
    for expert in range(experts):
        x_gnk = by_group * routing_ne[:, expert, None]
        mean_gk = x_gnk.mean(axis=1, dtype=np.float64)
        if with_bias:
            x_gnk = x_gnk - mean_gk[:, None].astype(np.float32)
        hessian = (x_gnk.transpose(0, 2, 1) @ x_gnk).astype(np.float64)
        numbers[expert] = compensated(weight_egok[expert], hessian, scale_go, grid, kept[expert])
        change = numbers[expert] * scale_go[:, :, None] - weight_egok[expert]
        shift_go += np.einsum("gok,gk->go", change, mean_gk)
    weight = (numbers * scale_go[None, :, :, None]).reshape(part.weight_eoihw.shape)
    bias_o = part.bias_o - shift_go.reshape(-1) if with_bias else part.bias_o
    return replace(part, weight_eoihw=weight.astype(np.float32), bias_o=bias_o)


def _largest(part: Part) -> np.ndarray:
    """One weight of the largest magnitude in each output channel, marked; over all experts."""
    by_output = np.abs(part.weight_eoihw).swapaxes(0, 1)
    flat = by_output.reshape(len(by_output), -1)
    marked = np.zeros(flat.shape, bool)
    marked[np.arange(len(flat)), flat.argmax(axis=1)] = True
    return marked.reshape(by_output.shape).swapaxes(0, 1)
