"""The part of a graph between convolutions with stored kernels and a value that weighs and sums their outputs.

Structure only: which convolutions, of which map, and which computed weights. Whether it is a mixture is algebra
(expert_outputs.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.facts import attribute_string, constant, constant_ints, element_count, is_op, static_shape
from condmix.exporters.graph.padding import spatial_zero_pads
from condmix.exporters.named.condconv import ConvSettings, conv_settings
from condmix.exporters.recognise.mixture import LARGEST_ROUTING

LAST = ("Add", "Sub", "Sum", "ReduceSum", "MatMul", "Gemm", "Reshape", "Transpose", "Squeeze")
"""Operators that may end a sum."""

BETWEEN = (
    *LAST, "Mul", "Div", "Neg", "Concat", "Unsqueeze", "Flatten", "ReduceMean", "Split", "Slice", "Gather", "Expand",
    "Identity", "BatchNormalization",
)  # fmt: skip
"""Operators that may stand between the convolutions and the end: none of them bends."""

MOST_NODES = 2000
"""A region larger than this is the stream of a whole network, not a layer."""


@dataclass(frozen=True, kw_only=True)
class Expert:
    """A convolution with stored kernels: of `x`, multiplied in front by the single number `scale` if there is one."""

    node: ir.Node
    x: ir.Value
    scale: ir.Value | None
    weight_oihw: np.ndarray
    bias_o: np.ndarray
    settings: ConvSettings

    @property
    def output(self) -> ir.Value:
        return self.node.outputs[0]


@dataclass(frozen=True, kw_only=True)
class ExpertRegion:
    """Experts of one map, and the computed weights that meet their outputs on the way to `result`."""

    result: ir.Value
    experts: tuple[Expert, ...]
    weights: tuple[ir.Value, ...]
    nodes: tuple[ir.Node, ...]
    """In their order, the convolutions in front."""

    @property
    def x(self) -> ir.Value:
        return self.experts[0].x

    @property
    def channels(self) -> int:
        """Of all experts' outputs together."""
        return sum(int(expert.weight_oihw.shape[0]) for expert in self.experts)

    @property
    def scales(self) -> tuple[ir.Value, ...]:
        """The numbers that multiply experts' inputs, each once."""
        found = {id(expert.scale): expert.scale for expert in self.experts if expert.scale is not None}
        return tuple(found.values())


def find_region(
    result: ir.Value, positions: Mapping[ir.Node, int], dependent: frozenset[ir.Value]
) -> ExpertRegion | None:
    """The region that ends in `result`, a map; None where something else than experts and weights comes in."""
    last, shape = result.producer(), result.shape
    if last is None or not is_op(last, *LAST) or shape is None or len(shape) != 4 or result.dtype != ir.DataType.FLOAT:
        return None
    size = static_shape(result)[2:]
    found = _walk_back(last, size, dependent)
    if found is None:
        return None
    between, experts = found
    same_map = _of_one_map(experts)
    if same_map is None:
        return None
    inner = {expert.output for expert in same_map}
    nodes, weights = [expert.node for expert in same_map], dict[ir.Value, None]()
    for node in sorted(between, key=positions.__getitem__):
        if any(value in inner for value in node.inputs):
            nodes.append(node)
            inner.update(node.outputs)
    for node in nodes[len(same_map) :]:
        weights.update(
            (value, None) for value in node.inputs if value is not None and value in dependent and value not in inner
        )
    region = ExpertRegion(result=result, experts=same_map, weights=tuple(weights), nodes=tuple(nodes))
    return region if result in inner and _is_closed(region, inner) else None


def _walk_back(
    last: ir.Node, size: tuple[int, ...], dependent: frozenset[ir.Value]
) -> tuple[set[ir.Node], list[tuple[Expert, Expert]]] | None:
    """Nodes of BETWEEN from `last` back to convolutions with outputs of that size; each as it is, and taken apart."""
    between, experts, waiting = {last}, dict[ir.Value, tuple[Expert, Expert]](), [last]
    while waiting:
        for value in waiting.pop().inputs:
            node = value.producer() if value is not None and value in dependent else None
            if value is None or node is None or node in between or value in experts:
                continue
            expert = _expert(node, size)
            if expert is not None:
                apart = _taken_apart(expert)
                if any(other.x is not apart.x for _, other in experts.values()):
                    return None
                experts[value] = (expert, apart)
            elif is_op(node, *BETWEEN) and not _pools(node):
                between.add(node)
                waiting.append(node)
                if len(between) > MOST_NODES:
                    return None
    return (between, list(experts.values())) if experts else None


def _expert(node: ir.Node, size: tuple[int, ...]) -> Expert | None:
    if not is_op(node, "Conv") or static_shape(node.outputs[0])[2:] != size:
        return None
    x, weight = node.inputs[0], constant(node.inputs[1])
    given = node.inputs[2] if len(node.inputs) > 2 else None
    bias = constant(given)
    explicit = attribute_string(node, "auto_pad", "NOTSET") == "NOTSET"
    if x is None or weight is None or weight.ndim != 4 or (given is not None and bias is None) or not explicit:
        return None
    return Expert(
        node=node,
        x=x,
        scale=None,
        weight_oihw=weight,
        bias_o=np.zeros(weight.shape[0]) if bias is None else bias,
        settings=conv_settings(node, weight.shape[2:]),
    )


def _taken_apart(expert: Expert) -> Expert:
    """The same with zero padding and one computed number in front taken in, in whichever order they come."""
    x, scale, pads = expert.x, expert.scale, expert.settings.pads
    while True:
        padding = spatial_zero_pads(x)
        factor = _scalar_factor(x) if scale is None else None
        if padding is not None:
            x, pads = padding.source, padding.plus(pads)
        elif factor is not None:
            x, scale = factor
        else:
            return replace(expert, x=x, scale=scale, settings=replace(expert.settings, pads=pads))


def _scalar_factor(value: ir.Value) -> tuple[ir.Value, ir.Value] | None:
    """(map, number) of a product of both that is a map; None for anything else, and for a stored number."""
    node = value.producer()
    if node is None or not is_op(node, "Mul"):
        return None
    for source, number in (node.inputs, node.inputs[::-1]):
        if source is None or number is None or constant(number) is not None or constant(source) is not None:
            continue
        if element_count(number) == 1 and static_shape(source) == static_shape(value):
            return source, number
    return None


def _of_one_map(experts: list[tuple[Expert, Expert]]) -> tuple[Expert, ...] | None:
    """All experts as they stand if they read one value; else taken apart, if that makes it one."""
    for candidates in zip(*experts, strict=True):
        if all(expert.x is candidates[0].x for expert in candidates):
            return tuple(candidates)
    return None


def _pools(node: ir.Node) -> bool:
    """A reduction of a map over its columns makes features of it, not a sum of experts."""
    if not is_op(node, "ReduceSum", "ReduceMean"):
        return False
    source = node.inputs[0]
    axes = constant_ints(node.inputs[1]) if len(node.inputs) > 1 else None
    if source is None or axes is None:
        return True
    rank = len(static_shape(source))
    return rank == 4 and bool({axis % rank for axis in axes} & {2, 3})


def _is_closed(region: ExpertRegion, inner: set[ir.Value]) -> bool:
    """Only computed weights of a few numbers come in, only the result goes out, and fewer channels than came."""
    if region.channels <= static_shape(region.result)[1] or not (region.weights or region.scales):
        return False
    if any(value.dtype != ir.DataType.FLOAT or element_count(value) > LARGEST_ROUTING for value in region.weights):
        return False
    return all(
        value is region.result
        or (not value.is_graph_output() and all(use.node in region.nodes for use in value.uses()))
        for value in inner
    )
