"""Where a value's channels come from: a whole tensor, or a contiguous slice of another."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from condmix.exporters.graph.facts import attribute_int, constant_ints, is_op, static_shape


@dataclass(frozen=True, kw_only=True)
class ChannelSlice:
    """Channels start to stop (exclusive) of `source`, and the nodes that cut them out."""

    source: ir.Value
    start: int
    stop: int
    nodes: tuple[ir.Node, ...]

    @property
    def is_whole(self) -> bool:
        return self.start == 0 and self.stop == static_shape(self.source)[1]


def channel_slice(value: ir.Value) -> ChannelSlice:
    """Follow Split and Slice nodes on axis 1 back to the tensor they cut."""
    channels = static_shape(value)[1]
    current = ChannelSlice(source=value, start=0, stop=channels, nodes=())
    while True:
        step = _one_step(current.source)
        if step is None:
            return current
        current = ChannelSlice(
            source=step.source,
            start=step.start + current.start,
            stop=step.start + current.stop,
            nodes=current.nodes + step.nodes,
        )


def _one_step(value: ir.Value) -> ChannelSlice | None:
    node = value.producer()
    if node is None:
        return None
    source = node.inputs[0] if node.inputs else None
    if source is None:
        return None
    if is_op(node, "Split") and _is_axis_one(attribute_int(node, "axis", 0), value):
        index = list(node.outputs).index(value)
        start = sum(static_shape(output)[1] for output in node.outputs[:index])
        return ChannelSlice(source=source, start=start, stop=start + static_shape(value)[1], nodes=(node,))
    if is_op(node, "Slice"):
        starts, ends = constant_ints(node.inputs[1]), constant_ints(node.inputs[2])
        axes = constant_ints(node.inputs[3]) if len(node.inputs) > 3 else None
        steps = constant_ints(node.inputs[4]) if len(node.inputs) > 4 else (1,)
        if starts is None or ends is None or axes is None or len(axes) != 1 or steps != (1,):
            return None
        if not _is_axis_one(axes[0], value):
            return None
        channels = static_shape(source)[1]
        start = starts[0] + channels if starts[0] < 0 else min(starts[0], channels)
        return ChannelSlice(source=source, start=start, stop=start + static_shape(value)[1], nodes=(node,))
    return None


def _is_axis_one(axis: int, value: ir.Value) -> bool:
    rank = len(static_shape(value))
    return rank > 1 and axis % rank == 1
