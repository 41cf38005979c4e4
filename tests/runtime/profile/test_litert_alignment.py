"""XNNPACK's operators against those of a file."""

from __future__ import annotations

import pytest

from condmix.runtime.profile.litert_alignment import aligned, word_of
from condmix.runtime.profile.litert_events import Timed

CONV, SIGMOID, MULTIPLY = "Convolution (NHWC, F32) IGEMM", "Sigmoid (NC)", "Multiply (ND)"
DENSE, RESHAPE = "Fully Connected (NC, F32) GEMM", "Static Reshape (NC)"


@pytest.mark.parametrize(
    ("events", "operators", "expected"),
    [
        ([CONV, SIGMOID, MULTIPLY], ["CONV_2D", "LOGISTIC", "MUL"], (0, 1, 2)),
        # A padding was fused into the convolution, a 1x1 convolution runs as a product.
        ([CONV, DENSE], ["PAD", "DEPTHWISE_CONV_2D", "CONV_2D"], (1, 2)),
        # A reshape that the file does not have prepares the product behind it.
        ([SIGMOID, RESHAPE, DENSE], ["LOGISTIC", "FULLY_CONNECTED"], (0, 1, 1)),
        # One of two reshapes was left out: kinds before and after decide nothing, order does.
        ([RESHAPE, DENSE], ["RESHAPE", "RESHAPE", "FULLY_CONNECTED"], (0, 2)),
        # A table of 256 values stands for LOGISTIC and MUL.
        (["Invalid Unary Op (NC)", CONV], ["LOGISTIC", "MUL", "CONV_2D"], (0, 2)),
        (["Copy (NC, X32)"], ["CONCATENATION"], (0,)),
        (["Something New (NC)", CONV], ["CONV_2D"], (None, 0)),
        ([CONV, RESHAPE], ["CONV_2D"], (0, None)),
        ([], ["CONV_2D"], ()),
        ([CONV], [], (None,)),
    ],
)
def test_events_are_paired_in_order_with_operators_of_their_kind(events, operators, expected):
    timed = [Timed(name=name, place=place, time_us=1.0) for place, name in enumerate(events)]
    assert aligned(timed, operators) == expected


def test_the_word_stands_before_the_types():
    assert word_of("Batch Matrix Multiply (NC, F32, QC8W) GEMM") == "Batch Matrix Multiply"
    assert word_of("Copy") == "Copy"
