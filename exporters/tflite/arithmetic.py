"""Elementwise operators: sums, products, activations, comparisons, casts."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.facts import attribute_float, attribute_int, constant
from condmix.exporters.tflite.emitter import Emitter
from condmix.exporters.tflite.lowering import Lowering, Unsupported, operand, result_shape, scalar
from condmix.exporters.tflite.model import DTYPE_OF_TYPE, Tensor
from condmix.exporters.tflite.schema import Activation, Operator, OptionsUnion, TensorType


def binary(operator: Operator) -> Lowering:
    def build(emitter: Emitter, node: ir.Node, activation: Activation) -> Tensor:
        rank = len(result_shape(node))
        total = operand(emitter, node, 0, rank)
        for index in range(1, len(node.inputs)):
            right = operand(emitter, node, index, rank)
            _refuse_mixed_layouts(total, right)
            last = index == len(node.inputs) - 1
            total = emitter.binary(
                operator, total, right, node.op_type.lower(), activation if last else Activation.NONE
            )
        return total

    return build


def _refuse_mixed_layouts(left: Tensor, right: Tensor) -> None:
    ranks = {len(tensor.shape) for tensor in (left, right) if tensor.shape != (1,)}
    if 4 in ranks and len(ranks) > 1:
        message = "operands of four and of another number of axes are combined"
        raise Unsupported(message)


def unary(operator: Operator, union: OptionsUnion = OptionsUnion.NONE) -> Lowering:
    def build(emitter: Emitter, node: ir.Node, _activation: Activation) -> Tensor:
        x = operand(emitter, node, 0, 0)
        return emitter.emit(operator, [x], x.shape, options_type=union, like=x.type)

    return build


def clip(emitter: Emitter, node: ir.Node, _activation: Activation) -> Tensor:
    low, high = clip_bounds(node)
    x = operand(emitter, node, 0, 0)
    if (low, high) == (0.0, 6.0):
        return emitter.emit(Operator.RELU6, [x], x.shape)
    if low == 0.0 and high == np.inf:
        return emitter.emit(Operator.RELU, [x], x.shape)
    if low > -np.inf:
        x = emitter.binary(Operator.MAXIMUM, x, scalar(emitter, low, "low"), "clip_low")
    if high < np.inf:
        x = emitter.binary(Operator.MINIMUM, x, scalar(emitter, high, "high"), "clip_high")
    return x


def clip_bounds(node: ir.Node) -> tuple[float, float]:
    """The constant bounds of a Clip, infinite where open."""
    bounds = [-np.inf, np.inf]
    for index in (1, 2):
        value = node.inputs[index] if len(node.inputs) > index else None
        if value is not None:
            array = constant(value)
            if array is None:
                message = "its bounds are computed"
                raise Unsupported(message)
            bounds[index - 1] = float(array)
    return bounds[0], bounds[1]


def is_relu6(clip_node: ir.Node) -> bool:
    """Whether a Clip is what a TFLite operator can carry as RELU6."""
    try:
        return clip_bounds(clip_node) == (0.0, 6.0)
    except Unsupported:
        # Reported when the walk comes to it.
        return False


def leaky_relu(emitter: Emitter, node: ir.Node, _activation: Activation) -> Tensor:
    x = operand(emitter, node, 0, 0)
    alpha = ("float32", attribute_float(node, "alpha", 0.01))
    return emitter.emit(Operator.LEAKY_RELU, [x], x.shape, options_type=OptionsUnion.LEAKY_RELU, options={0: alpha})


def hard_sigmoid(emitter: Emitter, node: ir.Node, _activation: Activation) -> Tensor:
    x = operand(emitter, node, 0, 0)
    alpha, beta = attribute_float(node, "alpha", 0.2), attribute_float(node, "beta", 0.5)
    scaled = emitter.binary(Operator.MUL, x, scalar(emitter, alpha, "alpha"), "scale")
    # min(max(a x + b, 0), 1) = relu6(6 (a x + b)) / 6 would also do; this form rounds less.
    moved = emitter.binary(Operator.ADD, scaled, scalar(emitter, beta, "beta"), "move", Activation.RELU)
    return emitter.binary(Operator.MINIMUM, moved, scalar(emitter, 1.0, "one"), "limit")


def reciprocal(emitter: Emitter, node: ir.Node, activation: Activation) -> Tensor:
    x = operand(emitter, node, 0, 0)
    one = scalar(emitter, 1.0, "one")
    return emitter.binary(Operator.DIV, one, x, "reciprocal", activation)


def equal(emitter: Emitter, node: ir.Node, _activation: Activation) -> Tensor:
    rank = len(result_shape(node))
    left, right = operand(emitter, node, 0, rank), operand(emitter, node, 1, rank)
    _refuse_mixed_layouts(left, right)
    if left.type is not right.type and right.data is not None:
        right = emitter.constant(right.data.astype(DTYPE_OF_TYPE[left.type]), "compared_with")
    shape = np.broadcast_shapes(left.shape, right.shape)
    return emitter.emit(Operator.EQUAL, [left, right], shape, options_type=OptionsUnion.EQUAL, like=TensorType.BOOL)


def cast(emitter: Emitter, node: ir.Node, _activation: Activation) -> Tensor:
    wanted = ir.DataType(attribute_int(node, "to", 1))
    types = {
        ir.DataType.FLOAT: TensorType.FLOAT32,
        ir.DataType.INT64: TensorType.INT32,
        ir.DataType.INT32: TensorType.INT32,
        ir.DataType.BOOL: TensorType.BOOL,
    }
    x = operand(emitter, node, 0, 0)
    if wanted not in types:
        message = f"a cast to {wanted.name} is not supported"
        raise Unsupported(message)
    if x.type is types[wanted]:
        return x
    return emitter.emit(Operator.CAST, [x], x.shape, options_type=OptionsUnion.CAST, like=types[wanted])
