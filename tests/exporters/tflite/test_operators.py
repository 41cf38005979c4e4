"""The tables of operators: none is named twice, all that carry an activation are there, known names only."""

from __future__ import annotations

import onnx

from condmix.exporters.tflite.choosing import CHOICES
from condmix.exporters.tflite.lower_graph import CARRIES_ACTIVATION, LOWERINGS
from condmix.exporters.tflite.movement import MOVEMENTS
from condmix.exporters.tflite.operators import OPERATORS
from condmix.exporters.tflite.resampling import RESAMPLINGS


def test_no_operator_is_in_two_tables() -> None:
    assert len(LOWERINGS) == len(OPERATORS) + len(MOVEMENTS) + len(RESAMPLINGS) + len(CHOICES)


def test_every_name_is_an_operator_of_onnx() -> None:
    for name in LOWERINGS:
        assert onnx.defs.has(name), name


def test_what_carries_an_activation_has_a_lowering() -> None:
    assert set(CARRIES_ACTIVATION) <= set(LOWERINGS)


def test_the_operators_of_mobile_networks_are_there() -> None:
    usual = {
        "Conv", "ConvTranspose", "Gemm", "MatMul", "AveragePool", "MaxPool", "GlobalAveragePool", "Resize", "Pad",
        "Add", "Sub", "Mul", "Div", "Relu", "Clip", "HardSwish", "HardSigmoid", "Sigmoid", "Softmax", "Concat", "Slice",
        "Reshape", "Transpose", "ReduceMean", "BatchNormalization",
    }  # fmt: skip
    assert usual <= set(LOWERINGS)
