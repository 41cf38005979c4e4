"""In what arithmetic LiteRT computes an operator, and how many multiply-adds that takes, from dtypes and shapes.

An operator with float activations and an integer kernel is a hybrid one: its input is quantised anew at each run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from condmix.runtime.audit.tflite_file import TfliteOperator, TfliteTensor
from condmix.runtime.audit.vocabulary import Arithmetic, Role

MOVEMENTS = frozenset(
    {
        "BATCH_TO_SPACE_ND", "BROADCAST_TO", "CONCATENATION", "DEPTH_TO_SPACE", "DYNAMIC_UPDATE_SLICE",
        "EMBEDDING_LOOKUP", "EXPAND_DIMS", "GATHER", "GATHER_ND", "MIRROR_PAD", "PACK", "PAD", "PADV2",
        "RESHAPE", "REVERSE_V2", "SCATTER_ND", "SLICE", "SPACE_TO_BATCH_ND", "SPACE_TO_DEPTH", "SPLIT",
        "SPLIT_V", "SQUEEZE", "STRIDED_SLICE", "TILE", "TRANSPOSE", "UNPACK",
    }
)  # fmt: skip
ACTIVATION_INPUT = {
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "BATCH_MATMUL"), 0),
    "TRANSPOSE_CONV": 2,
}
"""operator -> which input is the activation; the second one is the kernel, which may have a type of its own."""
UNCOUNTED = frozenset(
    {
        "BIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_RNN", "CONV_3D", "CONV_3D_TRANSPOSE", "LSTM",
        "RNN", "STABLEHLO_COMPOSITE", "STABLEHLO_CONVOLUTION", "STABLEHLO_DOT_GENERAL", "SVDF",
        "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN", "WHILE", "IF", "CALL", "CALL_ONCE",
    }
)  # fmt: skip
"""Operators that multiply and add in a number that is not counted here."""
_FLOATS = ("float32", "float16", "bfloat16", "float64")
_BYTES = ("int8", "uint8", "int4", "int2")


def role_of(name: str, source: TfliteTensor) -> Role | None:
    """What an operator on the boundary does; None for all others."""
    if name == "DEQUANTIZE":
        return Role.DEQUANTIZE
    if name == "QUANTIZE":
        return Role.QUANTIZE if source.dtype in _FLOATS else Role.REQUANTIZE
    return None


def arithmetic_of(name: str, operator: TfliteOperator, tensors: Sequence[TfliteTensor]) -> Arithmetic:
    """What the operator computes in."""
    if name in ("QUANTIZE", "DEQUANTIZE", "FAKE_QUANT"):
        return Arithmetic.BOUNDARY
    if name in MOVEMENTS or name == "CAST":
        return Arithmetic.MOVEMENT
    if name in ACTIVATION_INPUT:
        kernel = tensors[operator.inputs[1]]
        activation = tensors[operator.inputs[ACTIVATION_INPUT[name]]]
        if activation.dtype in _FLOATS and kernel.dtype in _BYTES:
            return Arithmetic.INT8_ON_THE_FLY
        return _by_dtype({activation.dtype})
    results = {tensors[number].dtype for number in operator.outputs}
    operands = [tensors[number] for number in operator.inputs if number >= 0]
    computed = {operand.dtype for operand in operands if not operand.is_constant}
    # What only looks at values, such as SHAPE or LESS, computes none.
    return _by_dtype(computed) if results & {*_FLOATS, *_BYTES, "int16"} else Arithmetic.OTHER


def multiply_adds_of(name: str, operator: TfliteOperator, tensors: Sequence[TfliteTensor]) -> int | None:
    """Of one call; None for an operator that multiplies in a number that is not counted."""
    if name in UNCOUNTED:
        return None
    if name not in ACTIVATION_INPUT:
        return 0
    kernel = tensors[operator.inputs[1]].shape
    output = math.prod(tensors[operator.outputs[0]].shape)
    left = tensors[operator.inputs[0]].shape
    if name == "CONV_2D":  # [outputs, height, width, inputs of a group]
        return output * math.prod(kernel[1:])
    if name == "DEPTHWISE_CONV_2D":  # [1, height, width, outputs]
        return output * math.prod(kernel[1:3])
    if name == "TRANSPOSE_CONV":  # [outputs, height, width, inputs]: each input value meets the kernel of its channel
        return math.prod(tensors[operator.inputs[2]].shape) * math.prod(kernel[:3])
    if name == "FULLY_CONNECTED":  # [outputs, inputs]
        return output * kernel[-1]
    return output * (left[-2] if operator.left_transposed else left[-1])


def _by_dtype(dtypes: set[str]) -> Arithmetic:
    if not dtypes.isdisjoint(_FLOATS):
        return Arithmetic.FLOAT
    if "int16" in dtypes:
        return Arithmetic.INT16
    return Arithmetic.INT8 if not dtypes.isdisjoint(_BYTES) else Arithmetic.OTHER
