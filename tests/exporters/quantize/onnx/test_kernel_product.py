"""Kernels that are mixed as a product of integers: for one image on x86, the numbers of the other way of writing it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from condmix.exporters.quantize.onnx.kernel_product import is_one_row
from condmix.exporters.quantize.parameters import UINT7, asymmetric
from condmix.exporters.quantize.ranges import Range
from tests.exporters.condconv_cases import CondConvCase, condconv_case
from tests.exporters.quantize.onnx.rounding import built, engine_operators, outputs, quality_db

CASES = {
    "points": condconv_case(images=6, kernel=(1, 1), in_channels=12, out_channels=20, experts=5),
    "depthwise": condconv_case(images=6, in_channels=8, out_channels=8, group=8),
    "points with expert bias": condconv_case(images=6, kernel=(1, 1), expert_bias=True),
}


def positive(case: CondConvCase) -> CondConvCase:
    """The same with a routing as a sigmoid gives it."""
    return replace(case, routing_ne=np.abs(case.routing_ne))


def file_of(case: CondConvCase, target: str) -> onnx.ModelProto:
    return built(case.sketch().model("y"), case.feeds, target=target).proto


def kinds(proto: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in proto.graph.node)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("target", "least"), [("x86", 26), ("x86-vnni", 30)])
def test_the_kernel_is_a_product_of_integers(name: str, target: str, least: float, tmp_path: Path) -> None:
    case = positive(CASES[name])
    proto = file_of(case, target)
    meaning = outputs(proto, case.feeds, optimised=False)
    assert quality_db(case.expected(), meaning) > least
    assert quality_db(meaning, outputs(proto, case.feeds)) > 45
    found = engine_operators(proto, tmp_path)
    assert (found["MatMulInteger"], found["MatMulIntegerToFloat"], found["MatMul"]) == (1, 0, 0)
    assert found["QGemm"] + found["QLinearConv"] == 1


def test_it_is_the_file_of_another_processor_number_for_number() -> None:
    """`arm` and `x86-vnni` store the same integers, so what they mean has to be the same."""
    case = positive(CASES["depthwise"])
    own, other = file_of(case, "x86-vnni"), file_of(case, "arm")
    assert kinds(own)["MatMulInteger"] == 1
    assert kinds(other)["MatMulInteger"] == 0
    np.testing.assert_array_equal(
        outputs(own, case.feeds, optimised=False), outputs(other, case.feeds, optimised=False)
    )


@pytest.mark.parametrize("target", ["auto", "arm"])
def test_other_targets_keep_a_packed_bank(target: str) -> None:
    assert kinds(file_of(positive(CASES["points"]), target))["MatMulInteger"] == 0


def test_a_routing_below_zero_keeps_a_packed_bank() -> None:
    """The runtime's product of one row takes no zero point."""
    assert (CASES["points"].routing_ne < 0).any()
    assert kinds(file_of(CASES["points"], "x86-vnni"))["MatMulInteger"] == 0


@pytest.mark.parametrize(("rows", "expected"), [(1, True), (4, False), ("batch", False)])
def test_several_images_keep_a_packed_bank(rows: int | str, expected: bool) -> None:
    routing = ir.Value(name="routing", shape=ir.Shape((rows, 8)), type=ir.TensorType(ir.DataType.FLOAT))
    grid = asymmetric(Range.around(0.0, 1.0), UINT7)
    assert is_one_row("x86", routing, grid) is expected
