"""Channels in whole blocks: zero channels between groups and behind branches, so that a runtime keeps its layout.

ONNX Runtime keeps images in blocks of channels through grouped convolutions and Concat only where every group and every
branch is made of whole blocks; elsewhere it lays them out anew and back. Exact for finite inputs: a channel that is
added has zero weights and a zero bias where it is made, and zero weights where it is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.constants import add_constant
from condmix.exporters.graph.facts import attribute_int, constant, is_op, module_path
from condmix.exporters.graph.splice import remove_unused
from condmix.exporters.lower.channel_axes import ChannelAxes, channels, is_constant_convolution, is_depthwise
from condmix.exporters.lower.choose import CHANNEL_BLOCK, MOST_GROWTH
from condmix.exporters.records import RewriteStep

RULE = "whole_blocks"
_GRAPHS = (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS)
READ_AT_ONCE = 4
"""It takes an image into blocks only where its channels are a multiple of this."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Places:
    """channel: where each old one lies. count: of the new ones."""

    channel: np.ndarray
    count: int

    def spread(self, array: np.ndarray) -> np.ndarray:
        """The rows of an array at their places, zeros between."""
        result = np.zeros((self.count, *array.shape[1:]), array.dtype)
        result[self.channel] = array
        return result


def fill_blocks(model: ir.Model, *, ends: bool = True) -> tuple[RewriteStep, ...]:
    """Channels are added where they keep a layout; one step for every module whose results grew.

    ends: whether inputs and outputs of the graph keep their channels.
    """
    if any(attribute.type in _GRAPHS for node in model.graph for attribute in node.attributes.values()):
        # What a graph within reads is not among the inputs of its node.
        return ()
    axes = ChannelAxes(model.graph, ends=ends)
    places = _places(axes)
    grown = {module_path(node): None for node in model.graph if any(value in places for value in node.outputs)}
    for node in list(model.graph):
        if is_op(node, "Conv") and is_constant_convolution(node):
            _widen(model.graph, node, places)
        elif is_op(node, "Split") and node.inputs[0] in places:
            sizes = [places[part].count if part in places else channels(part) for part in node.outputs]
            node.replace_input_with(1, add_constant(model.graph, f"{node.name}/whole", np.asarray(sizes, np.int64)))
    for value, place in places.items():
        assert value.shape is not None
        value.shape = ir.Shape([value.shape[0], place.count, *list(value.shape)[2:]])
        # A name is a meaning, and this is no longer what PyTorch calls by it.
        if not (value.is_graph_input() or value.is_graph_output()):
            value.name = f"{value.name}/whole"
    remove_unused(model.graph)
    note = f"zero channels up to whole blocks of {CHANNEL_BLOCK}"
    return tuple(RewriteStep(rule=RULE, path=path, applied=True, note=note) for path in grown)


def _places(axes: ChannelAxes) -> Mapping[ir.Value, _Places]:
    """The values that get more channels."""
    left = axes.fixed() | _unworthy(axes)
    while more := _torn(axes, left) - left:
        left |= more
    found: dict[ir.Value, _Places] = {}
    for value in axes.values:
        if axes.axis(value) in left or _is_whole(axes, value):
            continue
        channel: list[int] = []
        count = 0
        for start, stop in axes.segments(value):
            channel += range(count, count + stop - start)
            count += _whole(stop - start)
        found[value] = _Places(channel=np.asarray(channel), count=count)
    return found


def _unworthy(axes: ChannelAxes) -> set[ir.Value]:
    """Axes that gain nothing, or would grow too long."""
    joined = [value for _, whole, parts in axes.joins for value in (whole, *parts)]
    ends = [value for node in axes.grouped for value in (node.inputs[0], node.outputs[0]) if value is not None]
    odd = [value for value in axes.values if (channels(value) or 0) % READ_AT_ONCE]
    worthy = {axes.axis(value) for value in (*joined, *ends, *odd)}
    unworthy = {axes.axis(value) for value in axes.values} - worthy
    for value in axes.values:
        longer = sum(_whole(stop - start) for start, stop in axes.segments(value))
        if longer > MOST_GROWTH * (channels(value) or 0):
            unworthy.add(axes.axis(value))
    return unworthy


def _torn(axes: ChannelAxes, left: set[ir.Value]) -> set[ir.Value]:
    """Axes that cannot grow while those in `left` do not: parts of one whole, groups of different width."""
    torn: set[ir.Value] = set()
    for _, whole, parts in axes.joins:
        ragged = [axes.axis(value) for value in (whole, *parts) if not _is_whole(axes, value)]
        if any(axis in left for axis in ragged):
            torn.update(ragged)
    for node in axes.grouped:
        for value in (node.inputs[0], node.outputs[0]):
            assert value is not None
            width = (channels(value) or 0) // attribute_int(node, "group", 1)
            widths: dict[int, int] = {}
            for start, stop in axes.segments(value):
                widths[start // width] = widths.get(start // width, 0) + _whole(stop - start)
            if len(set(widths.values())) > 1:
                torn.add(axes.axis(value))
    return torn


def _widen(graph: ir.Graph, node: ir.Node, places: Mapping[ir.Value, _Places]) -> None:
    """The convolution with zeros for every channel that was added in front of it or behind."""
    x, y = node.inputs[0], node.outputs[0]
    before, after = places.get(x) if x is not None else None, places.get(y)
    if before is None and after is None:
        return
    weight, bias = constant(node.inputs[1]), constant(node.inputs[2]) if len(node.inputs) > 2 else None
    assert weight is not None
    if is_depthwise(node):
        assert after is not None
        node.attributes["group"] = ir.AttrInt64("group", after.count)
    elif before is not None:
        weight = _wider_rows(weight, before, attribute_int(node, "group", 1))
    if after is not None:
        weight = after.spread(weight)
        if bias is not None:
            node.replace_input_with(2, add_constant(graph, f"{node.name}/whole_bias", after.spread(bias)))
    node.replace_input_with(1, add_constant(graph, f"{node.name}/whole_weight", weight))


def _wider_rows(weight: np.ndarray, before: _Places, groups: int) -> np.ndarray:
    """Zero columns where the input has channels that were added; each group reads its own part."""
    outputs, inputs = weight.shape[0] // groups, weight.shape[1]
    each = before.count // groups
    wider = np.zeros((weight.shape[0], each, *weight.shape[2:]), weight.dtype)
    for group in range(groups):
        rows = slice(group * outputs, (group + 1) * outputs)
        wider[rows, before.channel[group * inputs : (group + 1) * inputs] - group * each] = weight[rows]
    return wider


def _is_whole(axes: ChannelAxes, value: ir.Value) -> bool:
    return all((stop - start) % CHANNEL_BLOCK == 0 for start, stop in axes.segments(value))


def _whole(width: int) -> int:
    return -(-width // CHANNEL_BLOCK) * CHANNEL_BLOCK
