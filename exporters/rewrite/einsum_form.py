"""A two-operand Einsum becomes Transpose, Reshape and MatMul, so that a mixture written as one is seen as a product.

Every label is a batch label (in both operands and the result), a contracted one (in both, not in the result), or
belongs to one side; the product is then [batch, left, contracted] x [batch, contracted, right].
(ONNX operator spec, Einsum-12.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import attribute_string, is_op, module_path, static_shape
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.rewrite.rule import Exactness, Refusal


@dataclass(frozen=True, kw_only=True)
class _Labels:
    left: str
    right: str
    result: str
    sizes: dict[str, int]

    @property
    def batch(self) -> str:
        return "".join(label for label in self.result if label in self.left and label in self.right)

    @property
    def contracted(self) -> str:
        return "".join(label for label in self.left if label in self.right and label not in self.result)

    def of_one_side(self, side: str) -> str:
        """Labels of the result that only this side has."""
        other = self.right if side == self.left else self.left
        return "".join(label for label in self.result if label in side and label not in other)

    def count(self, labels: str) -> int:
        return int(np.prod([self.sizes[label] for label in labels], dtype=np.int64))

    def shape(self, labels: str) -> tuple[int, ...]:
        return tuple(self.sizes[label] for label in labels)


@dataclass(frozen=True)
class EinsumForm:
    """Einsum of two operands becomes MatMul."""

    name: str = "einsum_form"
    exactness: Exactness = Exactness.EXACT

    def match(self, node: ir.Node) -> Replacement | Refusal | None:
        if not is_op(node, "Einsum"):
            return None
        labels = _read(node)
        if labels is None:
            return Refusal(reason=f"einsum '{attribute_string(node, 'equation', '')}' is not a product of two operands")
        left, right = node.inputs[0], node.inputs[1]
        assert left is not None
        assert right is not None
        builder = NodeBuilder(module_path(node))
        own_left, own_right = labels.of_one_side(labels.left), labels.of_one_side(labels.right)
        rows = _arrange(builder, left, labels, labels.left, (labels.batch, own_left, labels.contracted), "left")
        columns = _arrange(builder, right, labels, labels.right, (labels.batch, labels.contracted, own_right), "right")
        shape = (labels.count(labels.batch), labels.count(own_left), labels.count(own_right))
        product = builder.one("MatMul", [rows, columns], shape)
        order = labels.batch + own_left + own_right
        full = builder.reshape(product, labels.shape(order), labels.shape(order), "product")
        permutation = [order.index(label) for label in labels.result]
        result = builder.one(
            "Transpose",
            [full],
            static_shape(node.outputs[0]),
            role="einsum_result",
            attributes={"perm": permutation},
        )
        return Replacement(removed=(node,), results=((node.outputs[0], result),), builder=builder)


def _read(node: ir.Node) -> _Labels | None:
    equation = attribute_string(node, "equation", "").replace(" ", "")
    operands, arrow, result = equation.partition("->")
    sides = operands.split(",")
    if len(sides) != 2 or not arrow or "." in equation or len(node.inputs) != 2:
        return None
    left, right = sides
    if any(not side or len(set(side)) != len(side) for side in (left, right, result)):
        return None
    # A label that only one side has and the result lacks would be a sum over that side first.
    if any((label in left) + (label in right) < 2 and label not in result for label in left + right):
        return None
    sizes: dict[str, int] = {}
    for side, value in zip(sides, node.inputs, strict=True):
        if value is None or value.dtype != ir.DataType.FLOAT or len(static_shape(value)) != len(side):
            return None
        for label, size in zip(side, static_shape(value), strict=True):
            # One against several is a repetition, which a product does not do.
            if sizes.setdefault(label, size) != size:
                return None
    return _Labels(left=left, right=right, result=result, sizes=sizes)


def _arrange(
    builder: NodeBuilder, value: ir.Value, labels: _Labels, side: str, groups: Sequence[str], role: str
) -> ir.Value:
    """The operand as three axes, in the order of `groups`."""
    order = "".join(groups)
    permutation = [side.index(label) for label in order]
    moved = builder.one(
        "Transpose", [value], labels.shape(order), role=f"{role}_order", attributes={"perm": permutation}
    )
    shape = tuple(labels.count(group) for group in groups)
    return builder.reshape(moved, shape, shape, f"{role}_matrix")
