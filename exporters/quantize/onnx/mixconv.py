"""MixConv for int8: neighbouring branches share a kernel where that is cheaper, and every run has its own expansion.

ONNX Runtime's int8 depthwise kernel costs about the same for every tap, zeros or not, takes channels by sixteen, and
is half as fast when they do not come out even. Runs are chosen by that cost; channels are filled up later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.lower import mixconv_merged, mixconv_parallel
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.lower.expansion import Expansion, find_expansion
from condmix.exporters.lower.mixconv_hoisted import group_inputs
from condmix.exporters.named.condconv import ConvSettings, conv_settings
from condmix.exporters.named.mixconv import Branch, MixConvLayer

CHANNEL_BLOCK = 16
TAP_NS = 0.04
"""Of one tap of one channel at one position (x86 with VNNI, one thread)."""
RUN_NS = 15_000.0
"""A run more: its convolutions, its activation and its part of the Concat."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LoweredMixConv:
    """What replaces a MixConv and what it came from."""

    replacement: Replacement
    form: str
    why: str
    depthwise: tuple[ir.Value, ...]
    """Results of the layer's own convolutions."""
    expansions: tuple[ir.Value, ...] = ()
    """Results of the slices of the expansion in front, where each run has its own, and of what cuts their input."""
    expansion_output: str = ""
    sources: tuple[tuple[ir.Value, str], ...] = ()
    """New values, each with the value of the graph before whose numbers it holds."""


def lower_mixconv_int8(layer: MixConvLayer, batch: BatchAxis, positions: int | None = None) -> LoweredMixConv:
    """The layer in standard operators, in the form that costs least in int8. positions: of another map than its own."""
    if not layer.is_depthwise:
        return _plain(layer, batch, "parallel", "branches that mix channels")
    expansion = find_expansion(layer.x)
    if expansion is None:
        return _plain(layer, batch, "merged", "no expansion of its own in front: one kernel holds all branches")
    runs = cheapest_runs(layer, positions)
    if len(runs) == 1:
        return _plain(layer, batch, "merged", "one kernel costs less than another run of convolutions")
    return _runs(layer, batch, expansion, runs)


def cheapest_runs(layer: MixConvLayer, positions: int | None = None) -> tuple[tuple[Branch, ...], ...]:
    """Neighbouring branches in runs, each with one kernel, so that the sum of all costs is least."""
    positions = positions or layer.output_chw[1] * layer.output_chw[2]
    best: list[tuple[float, tuple[tuple[Branch, ...], ...]]] = [(0.0, ())]
    for stop in range(1, len(layer.branches) + 1):
        ways = []
        for start in range(stop):
            run = layer.branches[start:stop]
            cost, before = best[start]
            ways.append((cost + _cost_ns(layer, run, positions), (*before, run)))
        best.append(min(ways, key=lambda way: way[0]))
    return best[-1][1]


def _cost_ns(layer: MixConvLayer, run: Sequence[Branch], positions: int) -> float:
    channels = sum(branch.out_channels for branch in run)
    filled = -(-channels // CHANNEL_BLOCK) * CHANNEL_BLOCK
    kernel = mixconv_merged.merged_settings(_part(layer, run)).kernel
    return filled * int(np.prod(kernel)) * positions * TAP_NS + RUN_NS


def _part(layer: MixConvLayer, run: Sequence[Branch]) -> MixConvLayer:
    """The layer with these branches only."""
    channels = sum(branch.in_channels for branch in run)
    _, *size = layer.input_chw
    _, *output_size = layer.output_chw
    return replace(
        layer,
        branches=tuple(run),
        input_chw=(channels, size[0], size[1]),
        output_chw=(channels, output_size[0], output_size[1]),
    )


def _plain(layer: MixConvLayer, batch: BatchAxis, form: str, why: str) -> LoweredMixConv:
    builds = {"parallel": mixconv_parallel.FORM.build, "merged": mixconv_merged.FORM.build}
    replacement = builds[form](layer, batch)
    convolutions = [node.outputs[0] for node in replacement.builder.nodes if node.op_type == "Conv"]
    return LoweredMixConv(replacement=replacement, form=form, why=why, depthwise=tuple(convolutions))


def _runs(
    layer: MixConvLayer, batch: BatchAxis, expansion: Expansion, runs: Sequence[Sequence[Branch]]
) -> LoweredMixConv:
    builder = NodeBuilder(layer.path)
    settings = conv_settings(expansion.conv, expansion.weight_oihw.shape[2:])
    _, height, width = layer.input_chw
    per_group = layer.input_chw[0] // expansion.group
    ends = np.cumsum([sum(branch.in_channels for branch in run) for run in runs])
    # Where every run lies within one group of the expansion it reads that group only.
    by_group = all(start // per_group == (end - 1) // per_group for start, end in zip((0, *ends), ends, strict=False))
    weight_oihw = expansion.weight_oihw if by_group else ungrouped(expansion.weight_oihw, expansion.group)
    x = expansion.conv.inputs[0]
    assert x is not None
    cut = group_inputs(builder, expansion, batch) if by_group and expansion.group > 1 else ()
    groups = cut or (x,) * expansion.group
    expansion_output = expansion.conv.outputs[0].name or ""
    expanded: list[ir.Value] = []
    results: list[ir.Value] = []
    sources: list[tuple[ir.Value, str]] = []
    first = 0
    for index, run in enumerate(runs):
        part = _part(layer, run)
        rows = slice(first, first + part.input_chw[0])
        first = rows.stop
        inputs = [
            groups[rows.start // per_group],
            builder.constant(weight_oihw[rows], f"expand_weight_{index}"),
            builder.constant(expansion.bias_o[rows], f"expand_bias_{index}"),
        ]
        shape = (batch.dimension, part.input_chw[0], height, width)
        attributes = settings.attributes(group=1)
        own = builder.one("Conv", inputs, shape, role=f"expand_{index}", attributes=attributes)
        expanded.append(own)
        before = len(builder.nodes)
        active = expansion.apply_activation(builder, own, batch, f"expand_{index}")
        sources.append((own, expansion_output))
        for new, old in zip(builder.nodes[before:], expansion.activation, strict=True):
            sources.append((new.outputs[0], old.outputs[0].name or ""))
        results.append(_depthwise(builder, part, active, batch, index))
    output = builder.one("Concat", results, (batch.dimension, *layer.output_chw), attributes={"axis": 1})
    sources.extend((part, x.name or "") for part in cut)
    sources.extend((result, layer.output.name or "") for result in results)
    removed = (expansion.conv, *expansion.activation, layer.node)
    kernels = ", ".join("+".join(str(branch.settings.kernel[0]) for branch in run) for run in runs)
    return LoweredMixConv(
        replacement=Replacement(removed=removed, results=((layer.output, output),), builder=builder),
        form="runs",
        why=f"kernels {kernels} apart cost less than one kernel with zeros; each has its own expansion",
        depthwise=tuple(results),
        expansions=(*cut, *expanded),
        expansion_output=expansion_output,
        sources=tuple(sources),
    )


def _depthwise(builder: NodeBuilder, part: MixConvLayer, x: ir.Value, batch: BatchAxis, index: int) -> ir.Value:
    settings: ConvSettings = mixconv_merged.merged_settings(part)
    inputs = [
        x,
        builder.constant(mixconv_merged.merged_weight(part, settings), f"weight_{index}"),
        builder.constant(np.concatenate([branch.bias_o for branch in part.branches]), f"bias_{index}"),
    ]
    shape = (batch.dimension, *part.output_chw)
    return builder.one("Conv", inputs, shape, role=f"run_{index}", attributes=settings.attributes())


def ungrouped(weight_oihw: np.ndarray, group: int) -> np.ndarray:
    """The same convolution with one group: zeros where a group did not look."""
    if group == 1:
        return weight_oihw
    out, per_group, *kernel = weight_oihw.shape
    dense = np.zeros((group, out // group, group, per_group, *kernel), dtype=weight_oihw.dtype)
    for index, block in enumerate(weight_oihw.reshape(group, out // group, per_group, *kernel)):
        dense[index, :, index] = block
    return dense.reshape(out, group * per_group, *kernel)
