"""Channels of depthwise convolutions filled up to a multiple of sixteen with channels that are zero.

ONNX Runtime's int8 depthwise kernel takes channels by sixteen; a layer whose channels do not come out even runs at half
the speed. A channel more costs a zero row in the convolution before and a zero column in the one behind; what lies
between works channel by channel. Exact: the added channels reach no result.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.facts import attribute_int, constant, is_op, module_path
from condmix.exporters.quantize.onnx.channel_spaces import ChannelSpaces, is_depthwise
from condmix.exporters.quantize.onnx.dense_groups import replace_constant
from condmix.exporters.quantize.onnx.mixconv import CHANNEL_BLOCK, ungrouped

NOTHING = -1
"""In a layout: a channel of zeros."""

Layout = np.ndarray
"""For each new channel the old one it is, or NOTHING."""


def fill_channel_blocks(graph: ir.Graph, float_layers: Collection[str]) -> int:
    """Add the zero channels in place; returns how many there are."""
    spaces = ChannelSpaces(graph)
    wanted = _wanted(graph, spaces, float_layers)
    layouts: dict[ir.Value, Layout] = {}
    for node in graph:
        for output in node.outputs:
            _lay_out(output, spaces, wanted, layouts)
    for node in graph:
        if is_op(node, "Conv"):
            _rewrite(graph, node, spaces, layouts)
    for value in list(spaces.members):
        layout = layouts.get(spaces.of(value))
        if layout is not None and value.shape is not None:
            value.shape = ir.Shape([value.shape[0], len(layout), *value.shape[2:]])
    return sum(int((layout == NOTHING).sum()) for space, layout in layouts.items() if space in wanted)


def _wanted(graph: ir.Graph, spaces: ChannelSpaces, float_layers: Collection[str]) -> set[ir.Value]:
    """Spaces with an int8 depthwise convolution whose channels are uneven and can be added to."""
    found: set[ir.Value] = set()
    for node in graph:
        if is_depthwise(node) and module_path(node) not in float_layers:
            space = spaces.of(node.outputs[0])
            if spaces.channels(space) % CHANNEL_BLOCK and spaces.is_free(space) and not spaces.concats_into(space):
                found.add(space)
    return found


def _lay_out(
    value: ir.Value, spaces: ChannelSpaces, wanted: Collection[ir.Value], layouts: dict[ir.Value, Layout]
) -> None:
    """Give the value's space its layout once what it is joined from has one."""
    if value not in spaces.members:
        return
    space = spaces.of(value)
    if space in layouts:
        return
    channels = spaces.channels(space)
    if space in wanted:
        more = -channels % CHANNEL_BLOCK
        layouts[space] = np.concatenate([np.arange(channels), np.full(more, NOTHING)])
        return
    for node in spaces.concats_into(space):
        parts: list[Layout] = []
        first = 0
        for item in node.inputs:
            assert item is not None
            own = spaces.of(item)
            layout = layouts.get(own, np.arange(spaces.channels(own)))
            parts.append(np.where(layout == NOTHING, NOTHING, layout + first))
            first += spaces.channels(own)
        joined = np.concatenate(parts)
        if len(joined) != channels:
            layouts[space] = joined


def _rewrite(graph: ir.Graph, node: ir.Node, spaces: ChannelSpaces, layouts: Mapping[ir.Value, Layout]) -> None:
    weight = constant(node.inputs[1])
    x = node.inputs[0]
    assert x is not None
    before = layouts.get(spaces.of(x)) if x in spaces.members else None
    after = layouts.get(spaces.of(node.outputs[0])) if node.outputs[0] in spaces.members else None
    if weight is None or (before is None and after is None):
        return
    group = attribute_int(node, "group", 1)
    if is_depthwise(node):
        assert after is not None
        replace_constant(graph, node, 1, _take(weight, after, axis=0))
        node.attributes["group"] = ir.AttrInt64("group", len(after))
    else:
        if before is not None:
            weight, group = _columns(weight, group, before)
        if after is not None:
            weight = _take(weight, after, axis=0)
        replace_constant(graph, node, 1, weight)
        node.attributes["group"] = ir.AttrInt64("group", group)
    bias = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    if bias is not None and after is not None:
        replace_constant(graph, node, 2, _take(bias, after, axis=0))


def _columns(weight_oihw: np.ndarray, group: int, layout: Layout) -> tuple[np.ndarray, int]:
    """The weight for a new layout of the input, and its groups: as before where they can stay, else one."""
    if group == 1:
        return _take(weight_oihw, layout, axis=1), 1
    per_group = weight_oihw.shape[1]
    if len(layout) % group == 0:
        segments = layout.reshape(group, -1)
        owners = [set((segment[segment != NOTHING] // per_group).tolist()) for segment in segments]
        if all(own <= {index} for index, own in enumerate(owners)):
            rows = weight_oihw.shape[0] // group
            blocks = [
                _take(weight_oihw[index * rows : (index + 1) * rows], _within(segment, index * per_group), axis=1)
                for index, segment in enumerate(segments)
            ]
            return np.concatenate(blocks), group
    return _take(ungrouped(weight_oihw, group), layout, axis=1), 1


def _within(segment: Layout, first: int) -> Layout:
    return np.where(segment == NOTHING, NOTHING, segment - first)


def _take(array: np.ndarray, layout: Layout, axis: int) -> np.ndarray:
    taken = np.take(array, np.maximum(layout, 0), axis=axis)
    shape = [1] * array.ndim
    shape[axis] = len(layout)
    return np.where(layout.reshape(shape) == NOTHING, np.zeros((), array.dtype), taken)
