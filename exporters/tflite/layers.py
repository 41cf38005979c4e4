"""Layers with weights: convolutions, normalisation, matrix products."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.batchnorm import batchnorm_affine
from condmix.exporters.graph.facts import attribute_float, attribute_int, constant, static_shape
from condmix.exporters.named.condconv import conv_settings
from condmix.exporters.tflite.convolution import conv_2d, convolution, depthwise_2d, padded
from condmix.exporters.tflite.emitter import Emitter
from condmix.exporters.tflite.lowering import Unsupported, axis_of, operand, result_shape
from condmix.exporters.tflite.model import Tensor
from condmix.exporters.tflite.schema import Activation, Operator


def conv(emitter: Emitter, node: ir.Node, activation: Activation) -> Tensor:
    weight = constant(node.inputs[1])
    bias = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    if len(result_shape(node)) != 4:
        message = "it does not have two spatial axes"
        raise Unsupported(message)
    x = operand(emitter, node, 0, 4)
    if weight is None:
        return _computed_conv(emitter, node, x, activation)
    if len(node.inputs) > 2 and node.inputs[2] is not None and bias is None:
        message = "its bias is computed"
        raise Unsupported(message)
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
    channel_axis = axis_of(1, len(x.shape))
    shape = [-1 if axis == channel_axis else 1 for axis in range(len(x.shape))]
    scale = emitter.constant(affine.scale.astype(np.float32).reshape(shape), "scale")
    shift = emitter.constant(affine.shift.astype(np.float32).reshape(shape), "shift")
    scaled = emitter.binary(Operator.MUL, x, scale, "normalise")
    return emitter.binary(Operator.ADD, scaled, shift, "shift_by", activation)


def gemm(emitter: Emitter, node: ir.Node, activation: Activation) -> Tensor:
    weight = constant(node.inputs[1])
    bias = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    if weight is None or attribute_int(node, "transA", 0) or (len(node.inputs) > 2 and bias is None):
        message = "its weight or bias is computed, or its input is transposed"
        raise Unsupported(message)
    alpha, beta = attribute_float(node, "alpha", 1.0), attribute_float(node, "beta", 1.0)
    oi = alpha * (weight if attribute_int(node, "transB", 0) else weight.T)
    if bias is not None and bias.size not in (1, oi.shape[0]):
        message = f"its bias has shape {bias.shape}: one number a column is supported"
        raise Unsupported(message)
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
