"""The words of an audit: in what arithmetic an operator runs, and why one runs in float."""

from __future__ import annotations

from enum import StrEnum


class Arithmetic(StrEnum):
    """What the engine does in one node of the graph it runs."""

    INT8 = "int8"  # on integers of 8 bits that were quantised with scales known beforehand
    INT8_ON_THE_FLY = "int8_on_the_fly"  # on integers of 8 bits, the input quantised anew at each run
    INT16 = "int16"  # activations of 16 bits
    FLOAT = "float"
    BOUNDARY = "boundary"  # from float to integers or back
    MOVEMENT = "movement"  # values are moved and stay as they are
    OTHER = "other"  # shapes, indices, conditions, control flow


IN_INT8 = (Arithmetic.INT8, Arithmetic.INT8_ON_THE_FLY)
IN_INTEGERS = (*IN_INT8, Arithmetic.INT16)


class Role(StrEnum):
    """What a node on the boundary between float and integers does."""

    QUANTIZE = "quantize"
    DEQUANTIZE = "dequantize"
    REQUANTIZE = "requantize"  # from one scale to another without a float value between


class Reason(StrEnum):
    """Why an operator runs in float."""

    NOT_QUANTIZED = "not quantised in the file"
    WEIGHTS_ONLY = "only its weights are stored as integers"
    ONE_SIDE_ONLY = "quantised on one side only"
    NOT_FUSED = "quantised in the file, not fused by the runtime"
    NO_INTEGER_KERNEL = "the runtime has no integer kernel for it"
    KEPT_FLOAT = "kept in float between DEQUANTIZE and QUANTIZE"


class RoundTrip(StrEnum):
    """Work on the boundary that computes nothing."""

    NEEDLESS = "dequantised and quantised again with the same scale"
    RESCALED = "dequantised and quantised again with another scale"
    AROUND_MOVEMENT = "dequantised only to be moved"
    BETWEEN_FLOAT = "quantised and dequantised between two float operators"


ADVICE = {
    Reason.NOT_QUANTIZED: "quantise it, or keep it in float if accuracy needs it",
    Reason.WEIGHTS_ONLY: "quantise its activations too: integer weights alone save bytes, not arithmetic",
    Reason.ONE_SIDE_ONLY: "quantise its inputs and its output",
    Reason.NOT_FUSED: "compare its operands with what the runtime fuses: 8-bit inputs and output of one type",
    Reason.NO_INTEGER_KERNEL: "take the quantise/dequantise pairs around it out: they cost time and accuracy",
    Reason.KEPT_FLOAT: "the converter left it in float; keep it if accuracy needs it or an integer kernel is slower",
}
"""What to do about each."""
