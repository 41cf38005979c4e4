"""Operator versions that TFLite asks for when operands are integers (tensorflow lite, op_version.cc)."""

from __future__ import annotations

from condmix.exporters.tflite.schema import Operator

INT8_VERSIONS = {
    Operator.ADD: 2,
    Operator.SUB: 2,
    Operator.MUL: 2,
    Operator.CONCATENATION: 2,
    Operator.CONV_2D: 3,
    Operator.DEPTHWISE_CONV_2D: 3,
    Operator.FULLY_CONNECTED: 4,
    Operator.BATCH_MATMUL: 2,
    Operator.LOGISTIC: 2,
    Operator.TANH: 2,
    Operator.LEAKY_RELU: 2,
    Operator.MEAN: 2,
    Operator.PAD: 2,
    Operator.SLICE: 2,
    Operator.STRIDED_SLICE: 2,
    Operator.TRANSPOSE: 2,
    Operator.MAX_POOL_2D: 2,
    Operator.RESIZE_BILINEAR: 2,
    Operator.RESIZE_NEAREST_NEIGHBOR: 2,
    Operator.RELU: 2,
    Operator.DEPTH_TO_SPACE: 2,
    Operator.RELU6: 2,
    Operator.QUANTIZE: 2,
}
INT16_VERSIONS = {
    Operator.ADD: 3,
    Operator.SUB: 5,
    Operator.MUL: 4,
    Operator.CONCATENATION: 3,
    Operator.CONV_2D: 4,
    Operator.DEPTHWISE_CONV_2D: 5,
    Operator.LOGISTIC: 3,
    Operator.TANH: 3,
    Operator.LEAKY_RELU: 2,
    Operator.MEAN: 3,
    Operator.PAD: 3,
    Operator.SLICE: 4,
    Operator.STRIDED_SLICE: 4,
    Operator.TRANSPOSE: 4,
    Operator.MAX_POOL_2D: 3,
    Operator.RESIZE_BILINEAR: 4,
    Operator.RESIZE_NEAREST_NEIGHBOR: 4,
    Operator.RELU: 3,
    Operator.RELU6: 3,
}
NO_INT16 = frozenset({Operator.DEPTH_TO_SPACE})
"""The runtime has them in int8 only."""
HYBRID_VERSIONS = {Operator.CONV_2D: 2, Operator.FULLY_CONNECTED: 9}
QUANTIZE_FLOAT, QUANTIZE_INTEGER = 1, 2
DEQUANTIZE_TENSOR, DEQUANTIZE_CHANNELS = 2, 5
QUANTIZE_INT16, DEQUANTIZE_INT16 = 2, 3
