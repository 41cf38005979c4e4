"""Which operators of a TFLite file the operators of an XNNPACK partition compute.

XNNPACK names its operators after what they do, not after the file, and may leave some out (a reshape that moves
nothing, an activation that it fused) or put some in (a reshape in front of a product). It keeps their order. So the
two lists are aligned like two texts: as many as possible of them paired, in order, each with one of its kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from condmix.runtime.profile.litert_events import Timed

KINDS: Mapping[str, tuple[str, ...]] = {
    "Convolution": ("CONV_2D", "DEPTHWISE_CONV_2D"),
    "Deconvolution": ("TRANSPOSE_CONV",),
    "Fully Connected": ("FULLY_CONNECTED", "CONV_2D"),
    "Dynamic Fully Connected": ("FULLY_CONNECTED",),
    "Batch Matrix Multiply": ("BATCH_MATMUL", "FULLY_CONNECTED"),
    "Sigmoid": ("LOGISTIC",),
    "Multiply": ("MUL",),
    "Add": ("ADD",),
    "Subtract": ("SUB",),
    "Divide": ("DIV",),
    "Mean": ("MEAN", "AVERAGE_POOL_2D"),
    "Sum": ("SUM", "MEAN"),
    "Global Average Pooling": ("MEAN", "AVERAGE_POOL_2D"),
    "Average Pooling": ("AVERAGE_POOL_2D", "MEAN"),
    "Max Pooling": ("MAX_POOL_2D",),
    "Clamp": ("RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "MINIMUM", "MAXIMUM"),
    "Static Reshape": ("RESHAPE", "SQUEEZE", "EXPAND_DIMS"),
    "Copy": ("CONCATENATION", "RESHAPE", "SQUEEZE", "EXPAND_DIMS"),
    "Invalid Unary Op": ("LOGISTIC", "TANH", "HARD_SWISH", "ELU"),  # its word for a table of 256 values
    "Constant Pad": ("PAD", "PADV2"),
    "Slice": ("SLICE", "STRIDED_SLICE", "SPLIT"),
    "Static Slice": ("SLICE", "STRIDED_SLICE", "SPLIT"),
    "Concatenate": ("CONCATENATION",),
    "Even Split": ("SPLIT",),
    "Convert": ("QUANTIZE", "DEQUANTIZE", "CAST"),
    "Transpose": ("TRANSPOSE",),
    "HardSwish": ("HARD_SWISH",),
    "Softmax": ("SOFTMAX",),
    "LeakyReLU": ("LEAKY_RELU",),
    "PReLU": ("PRELU",),
    "Tanh": ("TANH",),
    "Abs": ("ABS",),
    "Negate": ("NEG",),
    "Square": ("SQUARE",),
    "Square Root": ("SQRT",),
    "Reciprocal Square Root": ("RSQRT",),
    "Maximum": ("MAXIMUM", "RELU"),
    "Minimum": ("MINIMUM",),
    "Resize Bilinear": ("RESIZE_BILINEAR",),
    "ELU": ("ELU",),
    "GELU": ("GELU",),
    "ApproxGELU": ("GELU",),
    "Exp": ("EXP",),
    "Log": ("LOG",),
}
"""XNNPACK's word, without the types behind it -> operators that it may stand for."""
HELPERS = ("Static Reshape", "Copy", "Convert", "Transpose", "Fuse Dims", "Pack LH")
"""What XNNPACK also puts in by itself: it then belongs to the operator it prepares."""
_PAIR, _HELPER_PAIR = 4, 2


def aligned(events: Sequence[Timed], operators: Sequence[str]) -> tuple[int | None, ...]:
    """For each event the place in `operators` of what it computes; None for one that has no partner.

    A helper without a partner goes to the operator of the next event that has one.
    """
    words = [word_of(event.name) for event in events]
    values = [[0] * (len(operators) + 1) for _ in range(len(events) + 1)]
    for row in range(len(events) - 1, -1, -1):
        for column in range(len(operators) - 1, -1, -1):
            values[row][column] = max(
                values[row + 1][column],
                values[row][column + 1],
                values[row + 1][column + 1] + _worth(words[row], operators[column]),
            )
    partners: list[int | None] = [None] * len(events)
    row = column = 0
    while row < len(events) and column < len(operators):
        worth = _worth(words[row], operators[column])
        if worth and values[row][column] == values[row + 1][column + 1] + worth:
            partners[row] = column
            row, column = row + 1, column + 1
        elif values[row][column] == values[row + 1][column]:
            row += 1
        else:
            column += 1
    following: int | None = None
    for row in reversed(range(len(events))):
        if partners[row] is None and words[row] in HELPERS:
            partners[row] = following
        following = partners[row] if partners[row] is not None else following
    return tuple(partners)


def word_of(name: str) -> str:
    """XNNPACK's word for what it does: `Convolution (NHWC, F32) IGEMM` is a Convolution."""
    return name.split(" (", 1)[0].strip()


def _worth(word: str, operator: str) -> int:
    if operator not in KINDS.get(word, ()):
        return 0
    return _HELPER_PAIR if word in HELPERS else _PAIR
