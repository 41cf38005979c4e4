"""Where the batch axis goes through each operator: one small function a family, from the ONNX operator specs.

A function gets the node and the batch axis of each input (None: the same for all images) and answers with the
batch axis of the outputs, or with a sentence why the operator cannot be given a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import onnx_ir as ir

from condmix.exporters.graph.facts import attribute_int, attribute_ints, constant, constant_ints, static_shape

Axis = int | None
AxisRule = Callable[[ir.Node, Sequence[Axis]], int | str]

ELEMENTWISE = (
    "Relu", "Sigmoid", "Tanh", "Clip", "HardSwish", "HardSigmoid", "LeakyRelu", "Elu", "Selu", "Softplus",
    "Erf", "Exp", "Log", "Neg", "Abs", "Sqrt", "Reciprocal", "Floor", "Ceil", "Round", "Sign", "Cast",
    "Identity", "Gelu", "Mish", "Not", "Add", "Sub", "Mul", "Div", "Pow", "Min", "Max", "Sum", "Where", "PRelu",
    "Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual", "And", "Or",
)  # fmt: skip
IMAGE_OPERATORS = (
    "Conv", "ConvTranspose", "BatchNormalization", "GlobalAveragePool", "GlobalMaxPool", "AveragePool", "MaxPool",
    "InstanceNormalization", "GroupNormalization", "LRN", "DepthToSpace", "SpaceToDepth", "CondConv",
    "CondConvExpertBias",
)  # fmt: skip


def _aligned(node: ir.Node, axes: Sequence[Axis]) -> int | str:
    """Broadcasting aligns from the right: every input that has a batch must have it at the same place from there."""
    rank = len(static_shape(node.outputs[0]))
    places = set()
    for value, axis in zip(node.inputs, axes, strict=True):
        if value is not None and axis is not None:
            places.add(axis + rank - len(static_shape(value)))
    if len(places) != 1:
        return "its inputs have the batch on different axes"
    place = places.pop()
    for value, axis in zip(node.inputs, axes, strict=True):
        if value is None or axis is not None:
            continue
        own = place - (rank - len(static_shape(value)))
        if own >= 0 and static_shape(value)[own] != 1:
            return f"'{value.name}' has several rows on the batch axis"
    return place


def _image(node: ir.Node, axes: Sequence[Axis]) -> int | str:
    routed = node.op_type.startswith("CondConv")
    others = axes[2:] if routed else axes[1:]
    if axes[0] != 0 or any(axis is not None for axis in others):
        return "its weights depend on the image, or its input has no leading batch axis"
    if routed and axes[1] != 0:
        return "its routing is the same for all images or has no leading batch axis"
    return 0


def _gemm(node: ir.Node, axes: Sequence[Axis]) -> int | str:
    if axes[0] != 0 or attribute_int(node, "transA", 0) or any(axis is not None for axis in axes[1:]):
        return "only its first input may hold the batch, as rows"
    return 0


def _matmul(node: ir.Node, axes: Sequence[Axis]) -> int | str:
    values = [value for value in node.inputs if value is not None]
    ranks = [len(static_shape(value)) for value in values]
    out_rank = len(static_shape(node.outputs[0]))
    if min(ranks) < 2:
        return "a product with a vector has no place for the batch"
    places = set()
    for axis, rank in zip(axes, ranks, strict=True):
        if axis is None:
            continue
        if axis >= rank - 2 and (rank > 2 or len([a for a in axes if a is not None]) > 1 or axis != 0):
            return "the batch lies on one of the two axes that are multiplied"
        if axis >= rank - 2 and axes[0] is None:
            return "the batch lies on an axis that is summed over"
        places.add(axis + out_rank - rank)
    if len(places) != 1:
        return "its inputs have the batch on different axes"
    place = places.pop()
    for value, axis, rank in zip(values, axes, ranks, strict=True):
        own = place - (out_rank - rank)
        if axis is None and 0 <= own < rank - 2 and static_shape(value)[own] != 1:
            return f"'{value.name}' has several rows on the batch axis"
    return place


def _transpose(node: ir.Node, axes: Sequence[Axis]) -> int | str:
    rank = len(static_shape(node.outputs[0]))
    return attribute_ints(node, "perm", tuple(reversed(range(rank)))).index(axes[0] or 0)


def _reduce(node: ir.Node, axes: Sequence[Axis]) -> int | str:
    source = node.inputs[0]
    assert source is not None
    rank = len(static_shape(source))
    listed = constant_ints(node.inputs[1]) if len(node.inputs) > 1 else attribute_ints(node, "axes", range(rank))
    if listed is None or (not listed and not attribute_int(node, "noop_with_empty_axes", 0)):
        listed = tuple(range(rank))
    reduced = {axis % rank for axis in listed}
    axis = axes[0] or 0
    if axis in reduced:
        return "it reduces over the batch axis"
    if attribute_int(node, "keepdims", 1):
        return axis
    return axis - sum(1 for item in reduced if item < axis)


def _own_axis(node: ir.Node, axes: Sequence[Axis]) -> int | str:
    """Operators that work along one axis: it must not be the batch axis."""
    rank = len(static_shape(node.outputs[0]))
    default = {"Concat": 0, "Split": 0, "Gather": 0, "CumSum": 0}.get(node.op_type, -1)
    own = attribute_int(node, "axis", default) % rank
    present = {axis for axis in axes if axis is not None}
    if len(present) != 1 or (node.op_type == "Concat" and None in axes):
        return "its inputs have the batch on different axes, or some have none"
    axis = present.pop()
    if own == axis:
        return "it works along the batch axis"
    if node.op_type in ("LayerNormalization",) and axis >= own:
        return "it normalises over the batch axis"
    return axis


def _arg_reduce(node: ir.Node, axes: Sequence[Axis]) -> int | str:
    source = node.inputs[0]
    assert source is not None
    own, axis = attribute_int(node, "axis", 0) % len(static_shape(source)), axes[0] or 0
    if own == axis:
        return "it works along the batch axis"
    return axis - 1 if own < axis and not attribute_int(node, "keepdims", 1) else axis


def _one_hot(node: ir.Node, axes: Sequence[Axis]) -> int | str:
    rank = len(static_shape(node.outputs[0]))
    own, axis = attribute_int(node, "axis", -1) % rank, axes[0] or 0
    return axis if axis < own else axis + 1


def _gather(node: ir.Node, axes: Sequence[Axis]) -> int | str:
    source, indices = node.inputs[0], node.inputs[1]
    assert source is not None
    assert indices is not None
    own = attribute_int(node, "axis", 0) % len(static_shape(source))
    if axes[0] is None or axes[1] is not None or own == axes[0]:
        return "it picks images out of the batch, or its indices depend on the image"
    return axes[0] if axes[0] < own else axes[0] - 1 + len(static_shape(indices))


def _slice(node: ir.Node, axes: Sequence[Axis]) -> int | str:
    source = node.inputs[0]
    assert source is not None
    rank = len(static_shape(source))
    starts = constant_ints(node.inputs[1])
    listed = constant_ints(node.inputs[3]) if len(node.inputs) > 3 else tuple(range(len(starts or ())))
    axis = axes[0] or 0
    if listed is None or axis in {item % rank for item in listed}:
        return "it slices the batch axis"
    return axis


def _pad(node: ir.Node, axes: Sequence[Axis]) -> int | str:
    source, amounts = node.inputs[0], constant_ints(node.inputs[1])
    assert source is not None
    rank, axis = len(static_shape(source)), axes[0] or 0
    listed = (
        constant_ints(node.inputs[3]) if len(node.inputs) > 3 and node.inputs[3] is not None else tuple(range(rank))
    )
    if amounts is None or listed is None:
        return "its padding is computed"
    for position, item in enumerate(listed):
        if item % rank == axis and (amounts[position] or amounts[position + len(listed)]):
            return "it pads the batch axis"
    return axis


def _resize(node: ir.Node, axes: Sequence[Axis]) -> int | str:
    source, axis = node.inputs[0], axes[0]
    assert source is not None
    if axis is None or any(item is not None for item in axes[1:]):
        return "its size depends on the image"
    listed = attribute_ints(node, "axes", range(len(static_shape(source))))
    if axis not in {item % len(static_shape(source)) for item in listed}:
        return axis
    if static_shape(node.outputs[0])[axis] != 1:
        return "it resizes the batch axis"
    scales = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    if scales is None or scales.size == 0:
        return "it states the size of the batch axis, or its factors are computed"
    return axis if scales[listed.index(axis)] == 1.0 else "it resizes the batch axis"


def _topk(node: ir.Node, axes: Sequence[Axis]) -> int | str:
    return _own_axis(node, axes[:1])


AXIS_RULES: Mapping[str, AxisRule] = {
    **dict.fromkeys(ELEMENTWISE, _aligned),
    **dict.fromkeys(IMAGE_OPERATORS, _image),
    **dict.fromkeys(("Softmax", "LogSoftmax", "Concat", "Split", "LayerNormalization", "Hardmax"), _own_axis),
    **dict.fromkeys(
        (
            "ReduceMean",
            "ReduceSum",
            "ReduceMax",
            "ReduceMin",
            "ReduceProd",
            "ReduceL1",
            "ReduceL2",
            "ReduceSumSquare",
        ),
        _reduce,
    ),
    "ArgMax": _arg_reduce,
    "ArgMin": _arg_reduce,
    "OneHot": _one_hot,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Transpose": _transpose,
    "Gather": _gather,
    "Slice": _slice,
    "Pad": _pad,
    "TopK": _topk,
    "Resize": _resize,
}
"""Reshape and Expand carry shapes as numbers and are rewritten in condmix.exporters.batch.reshape."""
