"""Every version that is written is one that the runtime knows, and the operators of a plan all have one."""

from __future__ import annotations

from condmix.exporters.quantize.tflite.plan import ARITHMETIC, FOLLOWING
from condmix.exporters.quantize.tflite.roles import MOVES
from condmix.exporters.quantize.tflite.versions import HYBRID_VERSIONS, INT8_VERSIONS, INT16_VERSIONS, NO_INT16
from condmix.exporters.tflite.schema import Operator

UNVERSIONED = {Operator.RESHAPE}
"""One version serves all types."""


def test_every_operator_that_a_plan_makes_integer_has_a_version() -> None:
    planned = (FOLLOWING | ARITHMETIC | MOVES | {Operator.CONV_2D, Operator.DEPTHWISE_CONV_2D}) - UNVERSIONED
    assert planned <= set(INT8_VERSIONS)
    assert planned - NO_INT16 <= set(INT16_VERSIONS)
    assert not NO_INT16 & set(INT16_VERSIONS)
    assert {Operator.BATCH_MATMUL, Operator.FULLY_CONNECTED} <= set(INT8_VERSIONS)
    assert set(HYBRID_VERSIONS) == {Operator.CONV_2D, Operator.FULLY_CONNECTED}


def test_int16_came_later() -> None:
    assert all(INT16_VERSIONS[operator] >= INT8_VERSIONS[operator] for operator in INT16_VERSIONS)
