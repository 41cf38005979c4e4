"""Which images of a graph share their channel axis, and at which channels it must be possible to cut it.

What is done to the channels of one value is done to those of all that share its axis: through elementwise operators,
pooling and depthwise convolutions. An ordinary convolution separates them; a grouped one, Split and Concat cut them.
"""

from __future__ import annotations

from itertools import pairwise

import onnx_ir as ir

from condmix.exporters.graph.facts import attribute_int, constant, is_op

_KEEP_CHANNELS = (
    "Relu",
    "Clip",
    "HardSwish",
    "HardSigmoid",
    "LeakyRelu",
    "Sigmoid",
    "Tanh",
    "Elu",
    "GlobalAveragePool",
    "AveragePool",
    "MaxPool",
)


class ChannelAxes:
    """The channel axes of a graph of standard operators.

    grouped: convolutions of several groups that are not depthwise. joins: (node, whole, parts) of each Concat and Split
    along the channels.
    """

    def __init__(self, graph: ir.Graph, *, ends: bool = True) -> None:
        """ends: whether what goes into the graph and comes out of it must stay as it is."""
        self.grouped: list[ir.Node] = []
        self.joins: list[tuple[ir.Node, ir.Value, tuple[ir.Value, ...]]] = []
        self._parents: dict[ir.Value, ir.Value] = {}
        self._fixed: list[ir.Value] = []
        self._cuts: dict[ir.Value, set[int]] = {}
        for value in (*graph.inputs, *graph.outputs) if ends else ():
            self._fix(value)
        for node in graph:
            self._take(node)
        self._cut()

    @property
    def values(self) -> tuple[ir.Value, ...]:
        """All images with a known number of channels."""
        return tuple(self._parents)

    def fixed(self) -> set[ir.Value]:
        """Axes that must stay as they are: something reads them that knows nothing of channels."""
        return {self.axis(value) for value in self._fixed}

    def axis(self, value: ir.Value) -> ir.Value:
        """The value that stands for the axis."""
        parent = self._parents.setdefault(value, value)
        while parent is not self._parents[parent]:
            parent = self._parents[parent]
        self._parents[value] = parent
        return parent

    def segments(self, value: ir.Value) -> tuple[tuple[int, int], ...]:
        """Its channels from cut to cut."""
        return tuple(pairwise((0, *sorted(self._of(value)), channels(value) or 0)))

    def _of(self, value: ir.Value) -> set[int]:
        return self._cuts.setdefault(self.axis(value), set())

    def _fix(self, value: ir.Value | None) -> None:
        if value is not None and channels(value) is not None:
            self._fixed.append(value)
            self.axis(value)

    def _tie(self, one: ir.Value, other: ir.Value) -> None:
        self._parents[self.axis(one)] = self.axis(other)

    def _take(self, node: ir.Node) -> None:
        read = [value for value in node.inputs if value is not None and constant(value) is None]
        images = [value for value in (*read, *node.outputs) if channels(value) is not None]
        if is_op(node, "Conv") and is_constant_convolution(node):
            self._take_convolution(node, images)
        elif is_op(node, *_KEEP_CHANNELS) and len(images) == 2:
            self._tie(*images)
        elif is_op(node, "Add", "Mul") and _is_of_equals(node, images):
            for value in images:
                self._tie(value, node.outputs[0])
        elif is_op(node, "Concat") and attribute_int(node, "axis", 0) == 1 and len(images) == len(node.inputs) + 1:
            self._join(node, images[-1], tuple(images[:-1]))
        elif is_op(node, "Split") and attribute_int(node, "axis", 0) == 1 and len(images) == len(node.outputs) + 1:
            self._join(node, images[0], tuple(images[1:]))
        else:
            for value in images:
                self._fix(value)

    def _take_convolution(self, node: ir.Node, images: list[ir.Value]) -> None:
        x, y = images
        if is_depthwise(node):
            self._tie(x, y)
            return
        for value in images:
            self.axis(value)
        if attribute_int(node, "group", 1) > 1:
            self.grouped.append(node)

    def _join(self, node: ir.Node, whole: ir.Value, parts: tuple[ir.Value, ...]) -> None:
        self.joins.append((node, whole, parts))
        for value in (whole, *parts):
            self.axis(value)

    def _cut(self) -> None:
        """Cuts of one axis are cuts of what it is joined to, until none is new."""
        for node in self.grouped:
            for value in (node.inputs[0], node.outputs[0]):
                assert value is not None
                count = channels(value) or 0
                self._of(value).update(range(0, count, count // attribute_int(node, "group", 1)))
        before = -1
        while before != (before := sum(len(cuts) for cuts in self._cuts.values())):
            for _, whole, parts in self.joins:
                start = 0
                for part in parts:
                    width = channels(part) or 0
                    self._of(whole).update(start + cut for cut in (0, *self._of(part)))
                    inside = {cut - start for cut in self._of(whole) if start < cut < start + width}
                    self._of(part).update(inside)
                    start += width
        for cuts in self._cuts.values():
            cuts.discard(0)


def channels(value: ir.Value) -> int | None:
    """Of an image; None for anything else, and where the number is not known."""
    if value.shape is None or len(value.shape) != 4:
        return None
    count = value.shape[1]
    return count if isinstance(count, int) else None


def is_constant_convolution(node: ir.Node) -> bool:
    """A convolution of images with a constant weight, and a constant bias or none."""
    weight = constant(node.inputs[1])
    if weight is None or weight.ndim != 4 or node.inputs[0] is None or channels(node.inputs[0]) is None:
        return False
    return len(node.inputs) < 3 or node.inputs[2] is None or constant(node.inputs[2]) is not None


def is_depthwise(node: ir.Node) -> bool:
    """A constant convolution with one kernel a channel."""
    weight = constant(node.inputs[1])
    return weight is not None and weight.shape[:2] == (attribute_int(node, "group", 1), 1) and weight.shape[0] > 1


def _is_of_equals(node: ir.Node, images: list[ir.Value]) -> bool:
    """All images have the same channels, and constants are single numbers."""
    numbers = [array for value in node.inputs if (array := constant(value)) is not None]
    same = len({channels(value) for value in images}) == 1
    return same and len(images) + len(numbers) == len(node.inputs) + 1 and all(one.size == 1 for one in numbers)
