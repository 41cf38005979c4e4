"""Choices are checked when they are made, all at once; the target decides on the grids."""

from __future__ import annotations

import pytest

from condmix.exporters.errors import OptionsError
from condmix.exporters.quantize.onnx.options import TARGETS, OnnxInt8Options
from condmix.exporters.quantize.onnx.weights import WeightGrid
from condmix.exporters.quantize.parameters import INT7_SYMMETRIC, INT8_SYMMETRIC


def test_defaults_are_portable() -> None:
    options = OnnxInt8Options()
    assert (options.batch, options.style, options.target, options.experts) == (1, "qdq", "auto", "int8")
    assert options.weight_grid(depthwise=False) is WeightGrid.SAFE_PAIRS
    assert options.kernel_grid(depthwise=False) == INT7_SYMMETRIC


@pytest.mark.parametrize("target", TARGETS)
def test_depthwise_kernels_have_eight_bits_everywhere(target: str) -> None:
    options = OnnxInt8Options(target=target)
    assert options.weight_grid(depthwise=True) is WeightGrid.EIGHT_BITS
    assert options.kernel_grid(depthwise=True) == INT8_SYMMETRIC


@pytest.mark.parametrize("target", ["x86-vnni", "arm"])
def test_exact_processors_take_all_bits(target: str) -> None:
    options = OnnxInt8Options(target=target)
    assert options.weight_grid(depthwise=False) is WeightGrid.EIGHT_BITS
    assert options.kernel_grid(depthwise=False) == INT8_SYMMETRIC


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(OptionsError) as caught:
        OnnxInt8Options(batch=0, opset=11, style="qd", target="avr", experts="all", io_dtype="int4")
    assert str(caught.value).split("; ") == [
        "style is 'qd': expected one of qdq, qoperator",
        "target is 'avr': expected one of auto, x86-vnni, x86, arm",
        "experts is 'all': expected one of int8, weights",
        "io_dtype is 'int4': expected one of float32, uint8, int8",
        "batch is 0: expected 1 to 1024",
        "opset is 11: expected 17 to 24",
    ]


def test_float_arithmetic_has_float_ends() -> None:
    with pytest.raises(OptionsError, match="io_dtype uint8 needs experts int8"):
        OnnxInt8Options(experts="weights", io_dtype="uint8")
