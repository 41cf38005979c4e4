"""Ordinary operators of mobile networks, one small function each: an ONNX node in, TFLite operators out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.batchnorm import batchnorm_affine
from condmix.exporters.graph.facts import (
    attribute_float,
    attribute_int,
    attribute_ints,
    attribute_string,
    constant,
    constant_ints,
    static_shape,
)
from condmix.exporters.named.condconv import ConvSettings, conv_settings
from condmix.exporters.tflite.convolution import conv_2d, convolution, depthwise_2d, out_size, padded
from condmix.exporters.tflite.emitter import Emitter, to_nhwc
from condmix.exporters.tflite.model import DTYPE_OF_TYPE, Tensor
from condmix.exporters.tflite.schema import Activation, Operator, OptionsUnion, Padding, TensorType

Lowering = Callable[[Emitter, ir.Node, Activation], Tensor]


class Unsupported(Exception):
    """An operator has no form here; the sentence says why. Caught by the driver, which collects all of them."""


NHWC_AXIS = (0, 3, 1, 2)
"""Where each NCHW axis lies in NHWC."""


def axis_of(axis: int, rank: int) -> int:
    """An ONNX axis in TFLite's layout."""
    return NHWC_AXIS[axis % rank] if rank == 4 else axis % rank


def operand(emitter: Emitter, node: ir.Node, index: int, rank: int) -> Tensor:
    """An input as a tensor; a constant is stored in TFLite's layout, with leading ones up to `rank`."""
    value = node.inputs[index]
    if value is None:
        message = f"input {index} is missing"
        raise Unsupported(message)
    if emitter.holds(value):
        return emitter.tensor(value)
    array = constant(value)
    if array is None:
        message = f"'{value.name}' is not computed by a supported operator"
        raise Unsupported(message)
    if array.dtype == np.float64:
        array = array.astype(np.float32)
    if array.dtype == np.int64:
        array = array.astype(np.int32)
    if array.size == 1:
        return emitter.constant(array.reshape(1), f"constant_{index}")
    if 0 < array.ndim < rank:
        array = array.reshape((1,) * (rank - array.ndim) + array.shape)
    return emitter.constant(to_nhwc(array), f"constant_{index}")


def _scalar(emitter: Emitter, number: float, role: str) -> Tensor:
    return emitter.constant(np.asarray([number], dtype=np.float32), role)


def result_shape(node: ir.Node) -> tuple[int, ...]:
    """The ONNX shape of a node's first result."""
    return static_shape(node.outputs[0])


def binary(operator: Operator) -> Lowering:
    def build(emitter: Emitter, node: ir.Node, activation: Activation) -> Tensor:
        rank = len(result_shape(node))
        total = operand(emitter, node, 0, rank)
        for index in range(1, len(node.inputs)):
            right = operand(emitter, node, index, rank)
            ranks = {len(tensor.shape) for tensor in (total, right) if tensor.shape != (1,)}
            if 4 in ranks and len(ranks) > 1:
                message = "operands of four and fewer axes are combined"
                raise Unsupported(message)
            last = index == len(node.inputs) - 1
            total = emitter.binary(
                operator, total, right, node.op_type.lower(), activation if last else Activation.NONE
            )
        return total

    return build


def unary(operator: Operator, union: OptionsUnion = OptionsUnion.NONE) -> Lowering:
    def build(emitter: Emitter, node: ir.Node, _activation: Activation) -> Tensor:
        x = operand(emitter, node, 0, 0)
        return emitter.emit(operator, [x], x.shape, options_type=union)

    return build


def clip(emitter: Emitter, node: ir.Node, _activation: Activation) -> Tensor:
    low, high = clip_bounds(node)
    x = operand(emitter, node, 0, 0)
    if (low, high) == (0.0, 6.0):
        return emitter.emit(Operator.RELU6, [x], x.shape)
    if low == 0.0 and high == np.inf:
        return emitter.emit(Operator.RELU, [x], x.shape)
    if low > -np.inf:
        x = emitter.binary(Operator.MAXIMUM, x, _scalar(emitter, low, "low"), "clip_low")
    if high < np.inf:
        x = emitter.binary(Operator.MINIMUM, x, _scalar(emitter, high, "high"), "clip_high")
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


def leaky_relu(emitter: Emitter, node: ir.Node, _activation: Activation) -> Tensor:
    x = operand(emitter, node, 0, 0)
    alpha = ("float32", attribute_float(node, "alpha", 0.01))
    return emitter.emit(Operator.LEAKY_RELU, [x], x.shape, options_type=OptionsUnion.LEAKY_RELU, options={0: alpha})


def hard_sigmoid(emitter: Emitter, node: ir.Node, _activation: Activation) -> Tensor:
    x = operand(emitter, node, 0, 0)
    alpha, beta = attribute_float(node, "alpha", 0.2), attribute_float(node, "beta", 0.5)
    scaled = emitter.binary(Operator.MUL, x, _scalar(emitter, alpha, "alpha"), "scale")
    # min(max(a x + b, 0), 1) = relu6(6 (a x + b)) / 6 would also do; this form rounds less.
    moved = emitter.binary(Operator.ADD, scaled, _scalar(emitter, beta, "beta"), "move", Activation.RELU)
    return emitter.binary(Operator.MINIMUM, moved, _scalar(emitter, 1.0, "one"), "limit")


def conv(emitter: Emitter, node: ir.Node, activation: Activation) -> Tensor:
    weight = constant(node.inputs[1])
    bias = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    if len(result_shape(node)) != 4:
        message = "it does not have two spatial axes"
        raise Unsupported(message)
    x = operand(emitter, node, 0, 4)
    if weight is None:
        return _computed_conv(emitter, node, x, activation)
    settings = conv_settings(node, weight.shape[2:])
    bias_o = np.zeros(weight.shape[0], dtype=np.float32) if bias is None else bias
    return convolution(emitter, x, weight, bias_o, settings, "conv", activation)


def _computed_conv(emitter: Emitter, node: ir.Node, x: Tensor, activation: Activation) -> Tensor:
    """A kernel that is computed and is no mixture of experts: the builtin kernels take it, the delegate does not.

    A kernel OIHW held as an image NHWC is OHWI, which is what CONV_2D reads.
    """
    filters = operand(emitter, node, 1, 4)
    out_channels, kernel_height, kernel_width, in_per_group = filters.shape
    settings = conv_settings(node, (kernel_height, kernel_width))
    bias = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    if x.shape[0] != 1 or (len(node.inputs) > 2 and bias is None):
        message = "its kernel is computed: it serves one image a call, and needs a stored bias"
        raise Unsupported(message)
    stored = emitter.constant(np.zeros(out_channels, dtype=np.float32) if bias is None else bias, "bias")
    source, padding = padded(emitter, x, settings)
    if settings.group > 1 and in_per_group == 1:
        own = emitter.transpose(filters, (3, 1, 2, 0), "depthwise_kernel")
        return depthwise_2d(emitter, source, own, stored, settings, padding, "conv", activation)
    return conv_2d(emitter, source, filters, stored, settings, padding, "conv", activation)


def batch_normalization(emitter: Emitter, node: ir.Node, activation: Activation) -> Tensor:
    affine = batchnorm_affine(node)
    if affine is None:
        message = "its statistics are not constant"
        raise Unsupported(message)
    x = operand(emitter, node, 0, 0)
    shape = (1,) * (len(x.shape) - 1) + (-1,)
    scale = emitter.constant(affine.scale.astype(np.float32).reshape(shape), "scale")
    shift = emitter.constant(affine.shift.astype(np.float32).reshape(shape), "shift")
    scaled = emitter.binary(Operator.MUL, x, scale, "normalise")
    return emitter.binary(Operator.ADD, scaled, shift, "shift_by", activation)


def reduce(operator: Operator) -> Lowering:
    def build(emitter: Emitter, node: ir.Node, _activation: Activation) -> Tensor:
        return reduce_tensor(emitter, operand(emitter, node, 0, 0), node, operator)

    return build


def reduce_tensor(emitter: Emitter, x: Tensor, node: ir.Node, operator: Operator) -> Tensor:
    """A reduction of `x` over the axes that the node names."""
    rank = len(x.shape)
    if node.op_type.startswith("Global"):
        axes: tuple[int, ...] | None = (2, 3)
    else:
        axes = constant_ints(node.inputs[1]) if len(node.inputs) > 1 else attribute_ints(node, "axes", range(rank))
    if axes is None:
        message = "its axes are computed"
        raise Unsupported(message)
    keep = node.op_type.startswith("Global") or bool(attribute_int(node, "keepdims", 1))
    own = sorted({axis_of(axis, rank) for axis in axes})
    kept = [axis for axis in range(rank) if axis not in own]
    if not keep and rank == 4 and len(kept) > 1 and own != [1, 2]:
        message = "it drops axes of an image other than height and width"
        raise Unsupported(message)
    shape = [1 if axis in own else length for axis, length in enumerate(x.shape) if keep or axis not in own]
    return emitter.emit(
        operator,
        [x, emitter.int32s(own, "axes")],
        shape,
        options_type=OptionsUnion.REDUCER,
        options={0: ("bool", keep)},
    )


def pool(operator: Operator) -> Lowering:
    def build(emitter: Emitter, node: ir.Node, activation: Activation) -> Tensor:
        kernel = attribute_ints(node, "kernel_shape", ())
        pads = attribute_ints(node, "pads", (0, 0, 0, 0))
        strides = attribute_ints(node, "strides", (1, 1))
        plain = len(kernel) == 2 and not attribute_int(node, "ceil_mode", 0)
        plain = plain and attribute_ints(node, "dilations", (1, 1)) == (1, 1) and len(node.outputs) == 1
        if not plain or attribute_string(node, "auto_pad", "NOTSET") != "NOTSET":
            message = "it has ceil_mode, dilations, auto_pad or another number of axes"
            raise Unsupported(message)
        x = operand(emitter, node, 0, 4)
        settings = ConvSettings(
            kernel=(kernel[0], kernel[1]),
            strides=(strides[0], strides[1]),
            pads=(pads[0], pads[1], pads[2], pads[3]),
            dilations=(1, 1),
            group=1,
        )
        return _pool(emitter, x, settings, operator, node, activation)

    return build


def _pool(
    emitter: Emitter, x: Tensor, settings: ConvSettings, operator: Operator, node: ir.Node, activation: Activation
) -> Tensor:
    padding = Padding.VALID
    source = x
    if any(settings.pads):
        probe, word = padded(Emitter(), x, settings)
        same = probe is x
        counts_padding = operator is Operator.AVERAGE_POOL_2D and bool(attribute_int(node, "count_include_pad", 0))
        if same and not counts_padding:
            padding = word
        elif operator is Operator.MAX_POOL_2D or not counts_padding:
            message = f"padding {settings.pads} is not TensorFlow's SAME"
            raise Unsupported(message)
        else:
            top, left, bottom, right = settings.pads
            source = emitter.pad(x, [(0, 0), (top, bottom), (left, right), (0, 0)])
    shape = (x.shape[0], *out_size(source, settings, padding), x.shape[3])
    return emitter.emit(
        operator,
        [source],
        shape,
        options_type=OptionsUnion.POOL_2D,
        options={
            0: ("int8", int(padding)),
            1: ("int32", settings.strides[1]),
            2: ("int32", settings.strides[0]),
            3: ("int32", settings.kernel[1]),
            4: ("int32", settings.kernel[0]),
        },
        activation=activation,
    )


def gemm(emitter: Emitter, node: ir.Node, activation: Activation) -> Tensor:
    weight = constant(node.inputs[1])
    bias = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    if weight is None or attribute_int(node, "transA", 0) or (len(node.inputs) > 2 and bias is None):
        message = "its weight or bias is computed, or its input is transposed"
        raise Unsupported(message)
    alpha, beta = attribute_float(node, "alpha", 1.0), attribute_float(node, "beta", 1.0)
    oi = alpha * (weight if attribute_int(node, "transB", 0) else weight.T)
    bias_o = np.zeros(oi.shape[0]) if bias is None else beta * np.broadcast_to(bias.reshape(-1), (oi.shape[0],))
    x = operand(emitter, node, 0, 0)
    return emitter.fully_connected(
        x,
        emitter.constant(oi.astype(np.float32), "weight"),
        emitter.constant(bias_o.astype(np.float32), "bias"),
        activation=activation,
    )


def matmul(emitter: Emitter, node: ir.Node, _activation: Activation) -> Tensor:
    shapes = [static_shape(value) for value in node.inputs if value is not None]
    if any(len(shape) not in (1, 2, 3) for shape in shapes) or len(shapes[1]) == 1:
        message = f"a product of shapes {shapes}: two or three axes are supported"
        raise Unsupported(message)
    weight = constant(node.inputs[1])
    left = operand(emitter, node, 0, 0)
    if len(left.shape) == 1:
        left = emitter.reshape(left, (1, *left.shape), "as_row")
    if weight is not None and weight.ndim == 2 and len(left.shape) == 2:
        product = emitter.fully_connected(left, emitter.constant(weight.T.astype(np.float32), "weight"), None)
    else:
        product = emitter.batch_matmul(left, operand(emitter, node, 1, 0), "product")
    return emitter.reshape(product, result_shape(node), "as_before")


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


def reciprocal(emitter: Emitter, node: ir.Node, activation: Activation) -> Tensor:
    x = operand(emitter, node, 0, 0)
    one = _scalar(emitter, 1.0, "one")
    return emitter.binary(Operator.DIV, one, x, "reciprocal", activation)


def reduce_l2(emitter: Emitter, node: ir.Node, activation: Activation) -> Tensor:
    x = operand(emitter, node, 0, 0)
    square = emitter.binary(Operator.MUL, x, x, "square")
    total = reduce_tensor(emitter, square, node, Operator.SUM)
    del activation
    return emitter.emit(Operator.SQRT, [total], total.shape)


def equal(emitter: Emitter, node: ir.Node, _activation: Activation) -> Tensor:
    left, right = operand(emitter, node, 0, 0), operand(emitter, node, 1, 0)
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


def arg_max(emitter: Emitter, node: ir.Node, _activation: Activation) -> Tensor:
    x = operand(emitter, node, 0, 0)
    if len(x.shape) == 4:
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


OPERATORS: Mapping[str, Lowering] = {
    "Add": binary(Operator.ADD),
    "Sub": binary(Operator.SUB),
    "Mul": binary(Operator.MUL),
    "Div": binary(Operator.DIV),
    "Max": binary(Operator.MAXIMUM),
    "Min": binary(Operator.MINIMUM),
    "Pow": binary(Operator.POW),
    "Sum": binary(Operator.ADD),
    "Relu": unary(Operator.RELU),
    "Sigmoid": unary(Operator.LOGISTIC),
    "Tanh": unary(Operator.TANH),
    "Exp": unary(Operator.EXP, OptionsUnion.EXP),
    "Sqrt": unary(Operator.SQRT),
    "Neg": unary(Operator.NEG, OptionsUnion.NEG),
    "Abs": unary(Operator.ABS, OptionsUnion.ABS),
    "Elu": unary(Operator.ELU),
    "HardSwish": unary(Operator.HARD_SWISH, OptionsUnion.HARD_SWISH),
    "LeakyRelu": leaky_relu,
    "HardSigmoid": hard_sigmoid,
    "Clip": clip,
    "Conv": conv,
    "BatchNormalization": batch_normalization,
    "GlobalAveragePool": reduce(Operator.MEAN),
    "GlobalMaxPool": reduce(Operator.REDUCE_MAX),
    "ReduceMean": reduce(Operator.MEAN),
    "ReduceSum": reduce(Operator.SUM),
    "ReduceMax": reduce(Operator.REDUCE_MAX),
    "MaxPool": pool(Operator.MAX_POOL_2D),
    "AveragePool": pool(Operator.AVERAGE_POOL_2D),
    "Gemm": gemm,
    "MatMul": matmul,
    "Softmax": softmax,
    "Reciprocal": reciprocal,
    "ReduceL2": reduce_l2,
    "Equal": equal,
    "Cast": cast,
    "ArgMax": arg_max,
}
