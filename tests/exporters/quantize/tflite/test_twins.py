"""Twins are made once, from what an operator wrote, by way of float where a rescaling would be too large."""

from __future__ import annotations

import pytest

from condmix.exporters.quantize.parameters import INT8, Affine
from condmix.exporters.quantize.tflite.twins import Twins
from condmix.exporters.quantize.tflite.weights import as_quantization
from condmix.exporters.tflite.model import Operation, Tensor
from condmix.exporters.tflite.schema import Operator, OptionsUnion, TensorType

FINE, COARSE, HUGE = (Affine(scale=scale, zero_point=1, grid=INT8) for scale in (0.01, 0.02, 100.0))
READER = Operation(
    operator=Operator.ADD, inputs=(), outputs=(), options_type=OptionsUnion.ADD, path="block.add", source="add_1"
)


@pytest.fixture
def x() -> Tensor:
    return Tensor(name="x", shape=(1, 4), type=TensorType.FLOAT32)


def made(operations: list[Operation]) -> list[tuple[str, str, str]]:
    return [
        (item.operator.name, str(item.inputs[0] and item.inputs[0].name), item.outputs[0].name) for item in operations
    ]


def test_a_float_tensor_is_quantised_once(x: Tensor) -> None:
    operations: list[Operation] = []
    twins = Twins({id(x): FINE}, TensorType.INT8, operations)
    twins.hold_float([x])
    twin = twins.as_integer(x, FINE, READER)
    assert (twin.type, twin.quantization, twin.shape) == (TensorType.INT8, as_quantization(FINE), x.shape)
    assert twins.as_integer(x, FINE, READER) is twin
    assert twins.as_float(x, READER) is x
    assert made(operations) == [("QUANTIZE", "x", "x_int8")]
    assert (operations[0].path, operations[0].source, operations[0].version) == ("block.add", "add_1", 1)


def test_an_integer_tensor_keeps_the_name_and_is_dequantised_once(x: Tensor) -> None:
    operations: list[Operation] = []
    twins = Twins({id(x): FINE}, TensorType.INT8, operations)
    held = twins.write_integer(x)
    assert held.name == "x"
    assert twins.as_integer(x, FINE, READER) is held
    whole = twins.as_float(x, READER)
    assert twins.as_float(x, READER) is whole
    assert made(operations) == [("DEQUANTIZE", "x", "x_float")]


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (COARSE, [("QUANTIZE", "x", "x_int8_2")]),
        (HUGE, [("DEQUANTIZE", "x", "x_float"), ("QUANTIZE", "x_float", "x_int8_2")]),
    ],
)
def test_another_scale_is_another_twin(x: Tensor, other: Affine, expected: list[tuple[str, str, str]]) -> None:
    operations: list[Operation] = []
    twins = Twins({id(x): FINE}, TensorType.INT8, operations)
    twins.write_integer(x)
    assert twins.as_integer(x, other, READER).quantization == as_quantization(other)
    assert made(operations) == expected


def test_float_is_made_from_what_an_operator_wrote(x: Tensor) -> None:
    operations: list[Operation] = []
    twins = Twins({id(x): FINE}, TensorType.INT8, operations)
    twins.write_integer(x)
    twins.as_integer(x, COARSE, READER)
    twins.as_float(x, READER)
    assert made(operations)[-1] == ("DEQUANTIZE", "x", "x_float")


def test_other_tensors_are_their_own_twins() -> None:
    twins = Twins({}, TensorType.INT8, [])
    axes = Tensor(name="axes", shape=(2,), type=TensorType.INT32)
    assert twins.as_float(axes, READER) is axes
