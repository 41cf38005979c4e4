"""Rounding the weights of a graph as both lowerings do: for tests of what should make that better."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.splice import Replacement, Splicer
from condmix.exporters.quantize.improve.layers import Part, read_layer, rebuilt
from condmix.exporters.quantize.parameters import Grid, stored


def numbers_of(part: Part, grid: Grid) -> np.ndarray:
    """The numbers that a lowering stores for a weight: an integer array like it."""
    return stored(part.weight_eoihw, part.scales(grid)[None, :, None, None, None], 0, grid)


def on_grid(model: ir.Model, grid: Grid, *, left_alone: frozenset[str] = frozenset()) -> ir.Model:
    """A copy in which every weight is its stored number times its scale, but for layers with these outputs."""
    copy = model.clone()
    splicer = Splicer(copy.graph)
    for node in list(copy.graph):
        layer = read_layer(node)
        if layer is None or layer.output_name in left_alone:
            continue
        parts = []
        for part in layer.parts:
            scales = part.scales(grid).astype(np.float64)[None, :, None, None, None]
            parts.append(replace(part, weight_eoihw=numbers_of(part, grid) * scales))
        builder = NodeBuilder(layer.path)
        result = rebuilt(layer, parts, builder)
        splicer.apply(Replacement(removed=(node,), results=((layer.output, result),), builder=builder))
    splicer.finish()
    return copy
