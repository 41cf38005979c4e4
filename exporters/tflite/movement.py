"""Operators that move elements: shapes, slices, joins. Here the two layouts have to be told apart."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.facts import (
    attribute_int,
    attribute_ints,
    attribute_string,
    constant,
    constant_ints,
    static_shape,
)
from condmix.exporters.tflite.emitter import Emitter, nhwc
from condmix.exporters.tflite.lowering import Lowering, Unsupported, axis_of, operand, result_shape
from condmix.exporters.tflite.model import Tensor
from condmix.exporters.tflite.schema import Activation, Operator, OptionsUnion

TO_NCHW, TO_NHWC = (0, 3, 1, 2), (0, 2, 3, 1)


def as_nchw(emitter: Emitter, tensor: Tensor, shape_nchw: tuple[int, ...]) -> Tensor:
    """A tensor with its elements in ONNX's order. Free where only one of channels and positions is longer than one."""
    if len(shape_nchw) != 4 or same_order(shape_nchw):
        return tensor
    return emitter.transpose(tensor, TO_NCHW, "channels_first")


def same_order(shape_nchw: tuple[int, ...]) -> bool:
    """Whether an image has its elements in the same order in both layouts."""
    _, channels, height, width = shape_nchw
    return channels == 1 or height * width == 1


def from_nchw(emitter: Emitter, tensor: Tensor, shape_nchw: tuple[int, ...]) -> Tensor:
    """The opposite: elements in ONNX's order become an image in TFLite's."""
    if len(shape_nchw) != 4:
        return emitter.reshape(tensor, shape_nchw)
    if same_order(shape_nchw):
        return emitter.reshape(tensor, nhwc(shape_nchw))
    return emitter.transpose(emitter.reshape(tensor, shape_nchw), TO_NHWC, "channels_last")


def copied(emitter: Emitter, tensor: Tensor) -> Tensor:
    """The same elements in a tensor of their own: TFLite has no operator that only copies."""
    inputs = [tensor, emitter.int32s(tensor.shape, "copy_shape")]
    return emitter.emit(
        Operator.RESHAPE, inputs, tensor.shape, role="copy", options_type=OptionsUnion.RESHAPE, like=tensor.type
    )


def identity(emitter: Emitter, node: ir.Node, _activation: Activation) -> Tensor:
    """Only a result that has another name already is left of these."""
    return copied(emitter, operand(emitter, node, 0, 0))


def reshape(emitter: Emitter, node: ir.Node, _activation: Activation) -> Tensor:
    source = node.inputs[0]
    assert source is not None
    x = operand(emitter, node, 0, 0)
    before, after = static_shape(source), result_shape(node)
    kept = _positions_kept(emitter, x, before, after)
    return kept if kept is not None else from_nchw(emitter, as_nchw(emitter, x, before), after)


def _positions_kept(emitter: Emitter, x: Tensor, before: tuple[int, ...], after: tuple[int, ...]) -> Tensor | None:
    """An image whose height and width are only cut differently keeps TFLite's order: no transposes."""
    if len(before) == 4 and len(after) == 4 and before[:2] == after[:2]:
        return emitter.reshape(x, nhwc(after))
    return None


def transpose(emitter: Emitter, node: ir.Node, _activation: Activation) -> Tensor:
    source = node.inputs[0]
    assert source is not None
    rank = len(static_shape(source))
    permutation = attribute_ints(node, "perm", tuple(reversed(range(rank))))
    x = operand(emitter, node, 0, 0)
    if rank != 4:
        return emitter.transpose(x, permutation)
    # From NHWC to NCHW, the permutation, and back to NHWC, in one.
    joint = [TO_NCHW[permutation[axis]] for axis in TO_NHWC]
    return emitter.transpose(x, joint)


def concat(emitter: Emitter, node: ir.Node, activation: Activation) -> Tensor:
    rank = len(result_shape(node))
    tensors = [operand(emitter, node, index, rank) for index in range(len(node.inputs))]
    # A stored single number has lost its axes, which broadcasting does not miss.
    tensors = [item if item.data is None else _with_rank(emitter, item, rank) for item in tensors]
    return emitter.concat(tensors, axis_of(attribute_int(node, "axis", 0), rank), "concat", activation)


def _with_rank(emitter: Emitter, stored: Tensor, rank: int) -> Tensor:
    assert stored.data is not None
    if len(stored.shape) == rank:
        return stored
    return emitter.constant(stored.data.reshape((1,) * rank), "single")


def slice_(emitter: Emitter, node: ir.Node, _activation: Activation) -> Tensor:
    source = node.inputs[0]
    assert source is not None
    shape = static_shape(source)
    starts, ends = constant_ints(node.inputs[1]), constant_ints(node.inputs[2])
    listed = node.inputs[3] if len(node.inputs) > 3 else None
    axes = tuple(range(len(starts or ()))) if listed is None else constant_ints(listed)
    steps = constant_ints(node.inputs[4]) if len(node.inputs) > 4 else (1,) * len(axes or ())
    if starts is None or ends is None or axes is None or steps is None or any(step < 1 for step in steps):
        message = "its bounds are computed or it runs backwards"
        raise Unsupported(message)
    rank = len(shape)
    begin, end, every = [0] * rank, list(nhwc(shape)), [1] * rank
    for start, stop, axis, step in zip(starts, ends, axes, steps, strict=True):
        own = axis_of(axis, rank)
        begin[own], end[own], every[own] = slice(start, stop, step).indices(shape[axis % rank])
    x = operand(emitter, node, 0, 0)
    if every == [1] * rank:
        return emitter.slice(x, begin, [last - first for first, last in zip(begin, end, strict=True)])
    return emitter.strided_slice(x, begin, end, every)


def gather(emitter: Emitter, node: ir.Node, _activation: Activation) -> Tensor:
    """One stored index along an axis: a slice."""
    source, indices = node.inputs[0], constant_ints(node.inputs[1])
    assert source is not None
    shape = static_shape(source)
    if indices is None or len(indices) != 1:
        message = "its indices are computed, or there are several"
        raise Unsupported(message)
    axis = attribute_int(node, "axis", 0) % len(shape)
    own = axis_of(axis, len(shape))
    begin, size = [0] * len(shape), list(nhwc(shape))
    begin[own], size[own] = indices[0] % shape[axis], 1
    piece = emitter.slice(operand(emitter, node, 0, 0), begin, size)
    if len(result_shape(node)) == len(shape):
        return piece
    kept = tuple(1 if index == axis else length for index, length in enumerate(shape))
    return from_nchw(emitter, as_nchw(emitter, piece, kept), result_shape(node))


def gather_nd(emitter: Emitter, node: ir.Node, _activation: Activation) -> Tensor:
    values, indices = operand(emitter, node, 0, 0), operand(emitter, node, 1, 0)
    inputs = [values, indices]
    if attribute_int(node, "batch_dims", 0) or 4 in (len(values.shape), len(indices.shape), len(result_shape(node))):
        message = "it gathers an image, from an image or within a batch"
        raise Unsupported(message)
    return emitter.emit(
        Operator.GATHER_ND, inputs, result_shape(node), options_type=OptionsUnion.GATHER_ND, like=values.type
    )


def expand(emitter: Emitter, node: ir.Node, _activation: Activation) -> Tensor:
    shape = nhwc(result_shape(node))
    x = operand(emitter, node, 0, len(shape))
    if len(x.shape) != len(shape):
        message = "it adds axes"
        raise Unsupported(message)
    inputs = [x, emitter.int32s(shape, "shape")]
    return emitter.emit(
        Operator.BROADCAST_TO, inputs, shape, options_type=OptionsUnion.BROADCAST_TO, version=2, like=x.type
    )


def pad(emitter: Emitter, node: ir.Node, _activation: Activation) -> Tensor:
    x = operand(emitter, node, 0, 0)
    amounts = constant_ints(node.inputs[1])
    rank = len(x.shape)
    given = len(node.inputs) > 3 and node.inputs[3] is not None
    axes = constant_ints(node.inputs[3]) if given else tuple(range(rank))
    if amounts is None or axes is None or min(amounts) < 0:
        message = "its amounts are computed or negative"
        raise Unsupported(message)
    pairs = [(0, 0)] * rank
    for position, axis in enumerate(axes):
        pairs[axis_of(axis, rank)] = (amounts[position], amounts[position + len(axes)])
    mode = attribute_string(node, "mode", "constant")
    if mode != "constant":
        message = f"mode {mode} has no TFLite form here: only constant borders do"
        raise Unsupported(message)
    filling = node.inputs[2] if len(node.inputs) > 2 else None
    fill = np.zeros(1) if filling is None else constant(filling)
    if fill is None:
        message = "its filling is computed"
        raise Unsupported(message)
    value = float(fill.reshape(-1)[0])
    if value == 0.0:
        return emitter.pad(x, pairs)
    return pad_with(emitter, x, pairs, value)


def pad_with(emitter: Emitter, x: Tensor, pairs: list[tuple[int, int]], value: float) -> Tensor:
    """Constants side by side, which the delegate takes: PAD writes zeros only."""
    for axis, amounts in enumerate(pairs):
        parts: list[Tensor] = [x]
        for place, amount in zip((0, len(parts)), amounts, strict=True):
            if amount:
                shape = [*x.shape[:axis], amount, *x.shape[axis + 1 :]]
                block = emitter.constant(np.full(shape, value, dtype=np.float32), "filling")
                parts.insert(place if place == 0 else len(parts), block)
        x = emitter.concat(parts, axis, "pad_with")
    return x


MOVEMENTS: Mapping[str, Lowering] = {
    "Identity": identity,
    "Reshape": reshape,
    "Transpose": transpose,
    "Concat": concat,
    "Slice": slice_,
    "Pad": pad,
    "Gather": gather,
    "GatherND": gather_nd,
    "Expand": expand,
}
