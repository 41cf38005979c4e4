"""The part of the TFLite flatbuffer schema that is written here: slot numbers and enumerations of schema version 3.

Numbers are those of the public schema file (tensorflow/lite schema, version 3), which never renumbers; a test reads
every file back through the reference bindings.
"""

from __future__ import annotations

import enum

FILE_IDENTIFIER = b"TFL3"
SCHEMA_VERSION = 3


class TensorType(enum.IntEnum):
    """Element types."""

    FLOAT32 = 0
    FLOAT16 = 1
    INT32 = 2
    INT64 = 4
    BOOL = 6
    INT16 = 7
    INT8 = 9


class Operator(enum.IntEnum):
    """Builtin operators."""

    ADD = 0
    AVERAGE_POOL_2D = 1
    CONCATENATION = 2
    CONV_2D = 3
    DEPTHWISE_CONV_2D = 4
    DEPTH_TO_SPACE = 5
    DEQUANTIZE = 6
    FULLY_CONNECTED = 9
    LOGISTIC = 14
    MAX_POOL_2D = 17
    MUL = 18
    RELU = 19
    RELU6 = 21
    RESHAPE = 22
    RESIZE_BILINEAR = 23
    SOFTMAX = 25
    TANH = 28
    PAD = 34
    GATHER = 36
    TRANSPOSE = 39
    MEAN = 40
    SUB = 41
    DIV = 42
    EXP = 47
    CAST = 53
    PRELU = 54
    MAXIMUM = 55
    ARG_MAX = 56
    MINIMUM = 57
    NEG = 59
    STRIDED_SLICE = 45
    TOPK_V2 = 48
    LESS = 58
    GREATER = 61
    GREATER_EQUAL = 62
    LESS_EQUAL = 63
    SELECT_V2 = 123
    SLICE = 65
    TRANSPOSE_CONV = 67
    EQUAL = 71
    SUM = 74
    SQRT = 75
    RSQRT = 76
    POW = 78
    REDUCE_MAX = 82
    ONE_HOT = 85
    RESIZE_NEAREST_NEIGHBOR = 97
    LEAKY_RELU = 98
    ABS = 101
    SPLIT_V = 102
    ELU = 111
    QUANTIZE = 114
    HARD_SWISH = 117
    BATCH_MATMUL = 126
    BROADCAST_TO = 130
    GATHER_ND = 107
    GELU = 150


class Activation(enum.IntEnum):
    """Activations that a convolution, sum or product carries itself."""

    NONE = 0
    RELU = 1
    RELU6 = 3


class Padding(enum.IntEnum):
    """SAME is TensorFlow's: the odd pixel goes to the end."""

    SAME = 0
    VALID = 1


class OptionsUnion(enum.IntEnum):
    """Members of the BuiltinOptions union."""

    NONE = 0
    CONV_2D = 1
    DEPTHWISE_CONV_2D = 2
    POOL_2D = 5
    FULLY_CONNECTED = 8
    SOFTMAX = 9
    CONCATENATION = 10
    ADD = 11
    RESIZE_BILINEAR = 15
    RESHAPE = 17
    MUL = 21
    PAD = 22
    GATHER = 23
    TRANSPOSE = 26
    REDUCER = 27
    SUB = 28
    DIV = 29
    STRIDED_SLICE = 32
    TOPK_V2 = 34
    LESS = 41
    GREATER = 44
    GREATER_EQUAL = 45
    LESS_EQUAL = 46
    SELECT_V2 = 98
    EXP = 33
    CAST = 37
    DEQUANTIZE = 38
    MAXIMUM_MINIMUM = 39
    ARG_MAX = 40
    NEG = 42
    SLICE = 48
    TRANSPOSE_CONV = 49
    EQUAL = 53
    POW = 56
    ONE_HOT = 61
    RESIZE_NEAREST_NEIGHBOR = 74
    LEAKY_RELU = 75
    ABS = 78
    SPLIT_V = 79
    GATHER_ND = 83
    QUANTIZE = 89
    HARD_SWISH = 91
    DEPTH_TO_SPACE = 94
    BATCH_MATMUL = 101
    BROADCAST_TO = 104
    GELU = 116
