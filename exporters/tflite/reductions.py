"""Operators along axes: means, sums, maxima, norms, softmax."""

from __future__ import annotations

import onnx_ir as ir

from condmix.exporters.graph.facts import attribute_int, attribute_ints, constant_ints
from condmix.exporters.tflite.emitter import Emitter
from condmix.exporters.tflite.lowering import Lowering, Unsupported, axis_in_nchw, axis_of, operand, result_shape
from condmix.exporters.tflite.model import Tensor
from condmix.exporters.tflite.schema import Activation, Operator, OptionsUnion, TensorType


def reduce(operator: Operator) -> Lowering:
    def build(emitter: Emitter, node: ir.Node, _activation: Activation) -> Tensor:
        return reduce_tensor(emitter, operand(emitter, node, 0, 0), node, operator)

    return build


def reduce_tensor(emitter: Emitter, x: Tensor, node: ir.Node, operator: Operator) -> Tensor:
    """A reduction of `x` over the axes that the node names."""
    rank = len(x.shape)
    if node.op_type.startswith("Global"):
        axes: tuple[int, ...] | None = tuple(range(2, rank))
    elif len(node.inputs) > 1 and node.inputs[1] is not None:
        axes = constant_ints(node.inputs[1])
    else:
        axes = attribute_ints(node, "axes", range(rank))
    if axes is None:
        message = "its axes are computed"
        raise Unsupported(message)
    keep = node.op_type.startswith("Global") or bool(attribute_int(node, "keepdims", 1))
    own = sorted({axis_of(axis, rank) for axis in axes})
    kept = [axis_in_nchw(axis, rank) for axis in range(rank) if axis not in own]
    if not keep and (kept != sorted(kept) or (len(kept) == 4 and own)):
        message = "it drops axes, and what is left has another order in TFLite's layout"
        raise Unsupported(message)
    shape = [1 if axis in own else length for axis, length in enumerate(x.shape) if keep or axis not in own]
    return emitter.emit(
        operator,
        [x, emitter.int32s(own, "axes")],
        shape,
        options_type=OptionsUnion.REDUCER,
        options={0: ("bool", keep)},
        like=x.type,
    )


def reduce_l2(emitter: Emitter, node: ir.Node, activation: Activation) -> Tensor:
    x = operand(emitter, node, 0, 0)
    square = emitter.binary(Operator.MUL, x, x, "square")
    total = reduce_tensor(emitter, square, node, Operator.SUM)
    del activation
    return emitter.emit(Operator.SQRT, [total], total.shape)


def arg_max(emitter: Emitter, node: ir.Node, _activation: Activation) -> Tensor:
    x = operand(emitter, node, 0, 0)
    if 4 in (len(x.shape), len(result_shape(node))):
        message = "it works on an image"
        raise Unsupported(message)
    axis = attribute_int(node, "axis", 0) % len(x.shape)
    shape = [length for index, length in enumerate(x.shape) if index != axis]
    found = emitter.emit(
        Operator.ARG_MAX,
        [x, emitter.int32s((axis,), "axis")],
        shape,
        options_type=OptionsUnion.ARG_MAX,
        options={0: ("int8", int(TensorType.INT32))},
        like=TensorType.INT32,
    )
    return emitter.reshape(found, result_shape(node), "keep_axis")


def softmax(emitter: Emitter, node: ir.Node, _activation: Activation) -> Tensor:
    x = operand(emitter, node, 0, 0)
    axis, last = axis_of(attribute_int(node, "axis", -1), len(x.shape)), len(x.shape) - 1
    order = [index for index in range(len(x.shape)) if index != axis] + [axis]
    if axis != last and all(length == 1 for length in x.shape[axis + 1 :]):
        moved = emitter.reshape(x, [x.shape[index] for index in order], "axis_last")
    else:
        moved = emitter.transpose(x, order, "axis_last")
    result = emitter.emit(
        Operator.SOFTMAX, [moved], moved.shape, options_type=OptionsUnion.SOFTMAX, options={0: ("float32", 1.0)}
    )
    if axis != last and all(length == 1 for length in x.shape[axis + 1 :]):
        return emitter.reshape(result, x.shape, "axis_back")
    return emitter.transpose(result, [order.index(index) for index in range(len(order))], "axis_back")
