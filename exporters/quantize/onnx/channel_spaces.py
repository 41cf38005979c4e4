"""Which values of a graph share their channel axis, so that a channel added to one must be added to all."""

from __future__ import annotations

import onnx_ir as ir

from condmix.exporters.graph.facts import attribute_int, constant, is_op
from condmix.exporters.quantize.tflite.ties import Ties

CHANNEL_BY_CHANNEL = (
    "Relu", "Clip", "Sigmoid", "HardSigmoid", "HardSwish", "LeakyRelu", "Elu", "Tanh", "GlobalAveragePool",
    "AveragePool", "MaxPool", "GlobalMaxPool", "Identity",
)  # fmt: skip
"""Unary operators whose result in a channel depends on that channel only, and is finite where it is."""
PAIRWISE = ("Add", "Mul", "Sub")


def is_depthwise(node: ir.Node) -> bool:
    """A Conv with a constant kernel for every channel of its own."""
    weight = constant(node.inputs[1]) if is_op(node, "Conv") else None
    if weight is None or weight.ndim != 4 or weight.shape[1] != 1:
        return False
    group = attribute_int(node, "group", 1)
    return group > 1 and group == weight.shape[0]


class ChannelSpaces:
    """Values (batch, channels, height, width) in groups with one channel axis."""

    def __init__(self, graph: ir.Graph) -> None:
        self.members: dict[ir.Value, int] = {}
        """Every value of four axes, with its channels."""
        self._ties: Ties[ir.Value] = Ties()
        self._fixed: set[ir.Value] = set()
        self._concats: list[ir.Node] = []
        for node in graph:
            self._visit(node)
        for value in (*graph.inputs, *graph.outputs):
            self._fix(value)
        self._fix_joined()

    def of(self, value: ir.Value) -> ir.Value:
        """The value that stands for the space."""
        return self._ties.group(value)

    def channels(self, space: ir.Value) -> int:
        """Of any value of the space."""
        return self.members[space]

    def is_free(self, space: ir.Value) -> bool:
        """Whether channels can be added."""
        return space not in {self.of(value) for value in self._fixed}

    def concats_into(self, space: ir.Value) -> list[ir.Node]:
        """The Concat nodes that join values into this space."""
        return [node for node in self._concats if self.of(node.outputs[0]) == space]

    def _channels_of(self, value: ir.Value | None) -> int | None:
        if value is None or value.const_value is not None or value.shape is None or len(value.shape) != 4:
            return None
        channels = value.shape[1]
        return channels if isinstance(channels, int) else None

    def _enter(self, value: ir.Value | None) -> bool:
        channels = self._channels_of(value)
        if value is None or channels is None:
            return False
        self.members[value] = channels
        return True

    def _fix(self, value: ir.Value | None) -> None:
        if value is not None and self._enter(value):
            self._fixed.add(value)

    def _visit(self, node: ir.Node) -> None:
        output = node.outputs[0]
        inputs = [value for value in node.inputs if self._enter(value)]
        known = self._enter(output) and len(node.outputs) == 1
        if known and (is_depthwise(node) or (is_op(node, *CHANNEL_BY_CHANNEL) and len(inputs) == 1)):
            self._tie(output, node.inputs[0])
        elif known and is_op(node, *PAIRWISE) and self._pair_fits(node):
            for value in inputs:
                self._tie(output, value)
        elif known and is_op(node, "Conv") and constant(node.inputs[1]) is not None:
            if attribute_int(node, "group", 1) != 1:
                self._fix(output)  # its rows belong to groups; its columns may still be laid out anew
        elif (
            known and is_op(node, "Concat") and attribute_int(node, "axis", 0) == 1 and len(inputs) == len(node.inputs)
        ):
            self._concats.append(node)
        else:
            for value in (*node.inputs, *node.outputs):
                self._fix(value)

    def _pair_fits(self, node: ir.Node) -> bool:
        """Both operands are computed and have the result's channels."""
        channels = self.members[node.outputs[0]]
        return all(self._channels_of(value) == channels for value in node.inputs)

    def _tie(self, left: ir.Value, right: ir.Value | None) -> None:
        if right is not None:
            self._ties.tie(left, right)

    def _fix_joined(self) -> None:
        """What is joined into a fixed space is fixed; so is a space that two Concat nodes would lay out."""
        for node in self._concats:
            space = self.of(node.outputs[0])
            if len(self.concats_into(space)) > 1:
                self._fixed.add(space)
        changed = True
        while changed:
            changed = False
            for node in self._concats:
                if self.is_free(self.of(node.outputs[0])):
                    continue
                for value in node.inputs:
                    if value is not None and self.is_free(self.of(value)):
                        self._fixed.add(value)
                        changed = True
