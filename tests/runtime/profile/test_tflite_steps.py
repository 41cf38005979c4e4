"""Operators of a TFLite file as steps."""

from __future__ import annotations

from condmix.runtime.audit.tflite_file import read_tflite
from condmix.runtime.profile.special import Row, rows_of
from condmix.runtime.profile.step import Family
from condmix.runtime.profile.tflite_steps import tflite_steps
from tests.runtime.profile.nets import CHANNELS, EXPERTS, condconv_tflite

NAMES = ["CONV_2D", "MEAN", "FULLY_CONNECTED", "LOGISTIC", "FULLY_CONNECTED", "RESHAPE", "DEPTHWISE_CONV_2D", "ABS"]
FILE = read_tflite(condconv_tflite())
GRAPH, UNCOUNTED = tflite_steps(FILE, NAMES, {0: 7.0, 6: 3.0})


def test_every_operator_has_its_module_family_time_and_work():
    stem, _, _, _, mix, reshape, conv, _ = GRAPH.steps
    assert [step.module for step in GRAPH.steps] == [
        "stem", *["blocks.0.routing"] * 3, *["blocks.0.conv_dw"] * 3, "act"
    ]  # fmt: skip
    assert (stem.family, stem.time_us, stem.multiply_adds) == (Family.POINTWISE, 7.0, 64 * CHANNELS * CHANNELS)
    assert stem.size_bytes == 4 * (2 * 64 * CHANNELS + CHANNELS * CHANNELS + CHANNELS)
    assert (mix.family, mix.time_us, mix.multiply_adds) == (Family.PRODUCT, 0.0, 9 * CHANNELS * EXPERTS)
    assert (reshape.family, reshape.size_bytes) == (Family.RESHAPE, 0)
    assert (conv.family, conv.time_us, conv.multiply_adds) == (Family.DEPTHWISE, 3.0, 36 * CHANNELS * 9)
    assert UNCOUNTED == 0


def test_the_computed_kernel_is_told_and_with_it_the_rows():
    assert [step.kernel is not None for step in GRAPH.steps].index(True) == NAMES.index("DEPTHWISE_CONV_2D")
    assert rows_of(GRAPH) == (
        Row.OTHER, *[Row.ROUTING] * 3, *[Row.KERNEL_MIXING] * 2, Row.OTHER, Row.OTHER
    )  # fmt: skip
