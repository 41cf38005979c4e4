"""What works on (height, width, channels) between two Transposes works on (channels, height, width) in front of both.

tf2onnx turns a map around each convolution and leaves what lies between as it was written: splits and joins of
channels, sums, gates, means. The Transpose moves behind such an operator until it meets the next one and both cancel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

from condmix.exporters.graph.builder import Attributes, NodeBuilder
from condmix.exporters.graph.facts import (
    attribute_int,
    attribute_ints,
    constant,
    constant_ints,
    is_op,
    module_path,
    static_shape,
)
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.rewrite.rule import Exactness

CHANNELS_FIRST, CHANNELS_LAST = (0, 3, 1, 2), (0, 2, 3, 1)
ELEMENTWISE = (
    "Relu", "Sigmoid", "Tanh", "Clip", "HardSwish", "HardSigmoid", "LeakyRelu", "Elu", "Selu", "Softplus", "Erf",
    "Exp", "Neg", "Abs", "Sqrt", "Reciprocal", "Gelu", "Mish", "Add", "Sub", "Mul", "Div", "Pow", "Min", "Max", "Sum",
    "PRelu",
)  # fmt: skip
REDUCTIONS = ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceSum")
TO_CHANNELS_LAST = ((0, 2, 3, 1), (2, 0, 3, 1), (2, 3, 0, 1))
"""Wherever the batch goes: the batch-in-groups trick puts it between."""
_RANK = 4


@dataclass(frozen=True)
class ChannelsFirstForm:
    """A Transpose to (height, width, channels) moves behind an operator that can work on channels first as well."""

    name: str = "channels_first_form"
    exactness: Exactness = Exactness.EXACT

    def match(self, node: ir.Node) -> Replacement | None:
        """The node that a Transpose feeds; the Transpose stays for its other readers."""
        permutations = {found for value in node.inputs if (found := _permutation(value)) is not None}
        if len(permutations) != 1 or node.outputs[0].dtype not in (ir.DataType.FLOAT, None):
            return None
        move = _Move(node, permutations.pop())
        if is_op(node, *ELEMENTWISE):
            return move.elementwise()
        if is_op(node, "Split") and _permutation(node.inputs[0]) is not None:
            return move.split()
        if is_op(node, "Concat"):
            return move.concat()
        if is_op(node, *REDUCTIONS) and _permutation(node.inputs[0]) is not None:
            return move.reduction()
        return None


def _permutation(value: ir.Value | None) -> tuple[int, ...] | None:
    """By which a Transpose made this value of one with channels first."""
    before = None if value is None else value.producer()
    if before is None or not is_op(before, "Transpose"):
        return None
    found = attribute_ints(before, "perm", ())
    return found if found in TO_CHANNELS_LAST else None


class _Move:
    """One operator and the Transpose that is in front of it and is to come behind."""

    def __init__(self, node: ir.Node, permutation: tuple[int, ...]) -> None:
        self.node, self.permutation = node, permutation
        self.back = tuple(permutation.index(axis) for axis in range(_RANK))
        self.builder = NodeBuilder(module_path(node))

    def elementwise(self) -> Replacement | None:
        inputs = [None if value is None else self._turned(value) for value in self.node.inputs]
        if any(value is not None and turned is None for value, turned in zip(self.node.inputs, inputs, strict=True)):
            return None
        return self._behind(inputs, self._attributes())

    def split(self) -> Replacement:
        first = self.node.inputs[0]
        assert first is not None
        return self._behind([self._turned(first), *self.node.inputs[1:]], {**self._attributes(), "axis": self._axis()})

    def concat(self) -> Replacement | None:
        inputs = [None if value is None else self._turned(value) for value in self.node.inputs]
        if any(turned is None or len(static_shape(turned)) != _RANK for turned in inputs):
            return None
        return self._behind(inputs, {"axis": self._axis()})

    def reduction(self) -> Replacement | None:
        given = self.node.inputs[1] if len(self.node.inputs) > 1 else None
        axes = attribute_ints(self.node, "axes", ()) if given is None else constant_ints(given)
        if not axes:
            return None
        moved = sorted(self.permutation[axis % _RANK] for axis in axes)
        keeps = bool(attribute_int(self.node, "keepdims", 1))
        left = [axis for axis in self.permutation if axis not in moved]
        if not keeps and left != sorted(left):
            return None
        attributes: dict[str, int | float | str | Sequence[int]] = {"keepdims": int(keeps)}
        first = self.node.inputs[0]
        assert first is not None
        inputs = [self._turned(first)]
        if given is None:
            attributes["axes"] = moved
        else:
            inputs.append(self.builder.ints(moved, "axes"))
        if keeps:
            return self._behind(inputs, attributes)
        output = self.node.outputs[0]
        result = self.builder.one(self.node.op_type, inputs, static_shape(output), attributes=attributes)
        return Replacement(removed=(self.node,), results=((output, result),), builder=self.builder)

    def _turned(self, value: ir.Value) -> ir.Value | None:
        """The same with channels first; None where it is not told how it lies to the map."""
        if _permutation(value) is not None:
            before = value.producer()
            assert before is not None
            return before.inputs[0]
        shape = static_shape(value)
        if all(length == 1 for length in shape):
            return value
        array = constant(value)
        if array is not None and array.ndim <= _RANK:
            full = array.reshape((1,) * (_RANK - array.ndim) + array.shape)
            return self.builder.constant(full.transpose(self.back), "channels_first")
        if len(shape) != _RANK:
            return None
        turned = [shape[axis] for axis in self.back]
        return self.builder.one("Transpose", [value], turned, attributes={"perm": self.back})

    def _behind(self, inputs: Sequence[ir.Value | None], attributes: Attributes) -> Replacement:
        """The operator on channels first, and a Transpose behind each of its results."""
        shapes = [static_shape(output) for output in self.node.outputs]
        turned = [[shape[axis] for axis in self.back] for shape in shapes]
        found = self.builder.node(self.node.op_type, inputs, turned, attributes=attributes)
        results = tuple(
            (output, self.builder.one("Transpose", [value], shape, attributes={"perm": self.permutation}))
            for output, value, shape in zip(self.node.outputs, found, shapes, strict=True)
        )
        return Replacement(removed=(self.node,), results=results, builder=self.builder)

    def _axis(self) -> int:
        return self.permutation[attribute_int(self.node, "axis", 0) % _RANK]

    def _attributes(self) -> Attributes:
        return {name: attribute.value for name, attribute in self.node.attributes.items()}
