"""In what arithmetic an operator of LiteRT computes, and how many multiply-adds that takes."""

from __future__ import annotations

import pytest

from condmix.runtime.audit.tflite_arithmetic import arithmetic_of, multiply_adds_of, role_of
from condmix.runtime.audit.tflite_file import TfliteOperator, TfliteTensor
from condmix.runtime.audit.vocabulary import Arithmetic, Role


def tensor(dtype: str, shape: tuple[int, ...] = (1, 4), *, constant: bool = False) -> TfliteTensor:
    return TfliteTensor(name="t", shape=shape, dtype=dtype, is_constant=constant, scale=None)


def operator(inputs: int, *, left_transposed: bool = False) -> TfliteOperator:
    """One that reads the first tensors and writes the next one."""
    return TfliteOperator(inputs=tuple(range(inputs)), outputs=(inputs,), left_transposed=left_transposed)


@pytest.mark.parametrize("name", ["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "BATCH_MATMUL"])
@pytest.mark.parametrize(
    ("activation", "kernel", "constant", "expected"),
    [
        ("float32", "float32", True, Arithmetic.FLOAT),
        ("float32", "int8", True, Arithmetic.INT8_ON_THE_FLY),
        ("float32", "int8", False, Arithmetic.INT8_ON_THE_FLY),
        ("float32", "int4", True, Arithmetic.INT8_ON_THE_FLY),
        ("int8", "int8", True, Arithmetic.INT8),
        ("int8", "int8", False, Arithmetic.INT8),
        ("uint8", "uint8", True, Arithmetic.INT8),
        ("int16", "int8", True, Arithmetic.INT16),
    ],
)
def test_products(name: str, activation: str, kernel: str, constant: bool, expected: Arithmetic):
    result = "float32" if activation == "float32" else activation
    tensors = [tensor(activation), tensor(kernel, constant=constant), tensor(result)]
    assert arithmetic_of(name, operator(2), tensors) is expected


def test_the_activation_of_a_transposed_convolution_is_its_third_input():
    tensors = [tensor("int32", constant=True), tensor("int8", constant=True), tensor("float32"), tensor("float32")]
    assert arithmetic_of("TRANSPOSE_CONV", operator(3), tensors) is Arithmetic.INT8_ON_THE_FLY
    tensors[2] = tensors[3] = tensor("int8")
    assert arithmetic_of("TRANSPOSE_CONV", operator(3), tensors) is Arithmetic.INT8


@pytest.mark.parametrize(
    ("name", "source", "result", "expected"),
    [
        ("ADD", "int8", "int8", Arithmetic.INT8),
        ("ADD", "int16", "int16", Arithmetic.INT16),
        ("LOGISTIC", "float32", "float32", Arithmetic.FLOAT),
        ("ADD", "int32", "int32", Arithmetic.OTHER),
        ("SHAPE", "float32", "int32", Arithmetic.OTHER),
        ("LESS", "float32", "bool", Arithmetic.OTHER),
        ("QUANTIZE", "float32", "int8", Arithmetic.BOUNDARY),
        ("DEQUANTIZE", "int8", "float32", Arithmetic.BOUNDARY),
        ("RESHAPE", "int8", "int8", Arithmetic.MOVEMENT),
        ("CONCATENATION", "float32", "float32", Arithmetic.MOVEMENT),
        ("CAST", "int32", "float32", Arithmetic.MOVEMENT),
    ],
)
def test_other_operators(name: str, source: str, result: str, expected: Arithmetic):
    assert arithmetic_of(name, operator(1), [tensor(source), tensor(result)]) is expected


def test_constants_do_not_decide():
    tensors = [tensor("int8"), tensor("float32", constant=True), tensor("int8")]
    assert arithmetic_of("MUL", operator(2), tensors) is Arithmetic.INT8


@pytest.mark.parametrize(
    ("name", "source", "role"),
    [
        ("QUANTIZE", "float32", Role.QUANTIZE),
        ("QUANTIZE", "int8", Role.REQUANTIZE),
        ("DEQUANTIZE", "int8", Role.DEQUANTIZE),
        ("DEQUANTIZE", "float16", Role.DEQUANTIZE),
        ("ADD", "int8", None),
    ],
)
def test_roles_on_the_boundary(name: str, source: str, role: Role | None):
    assert role_of(name, tensor(source)) is role


@pytest.mark.parametrize(
    ("name", "shapes", "expected"),
    [
        ("CONV_2D", [(1, 6, 6, 8), (4, 3, 3, 8), (1, 5, 5, 4)], 100 * 72),
        # Two groups: each kernel sees half of the inputs.
        ("CONV_2D", [(1, 6, 6, 8), (4, 1, 1, 4), (1, 6, 6, 4)], 144 * 4),
        ("DEPTHWISE_CONV_2D", [(1, 6, 6, 8), (1, 3, 5, 8), (1, 6, 6, 8)], 288 * 15),
        ("FULLY_CONNECTED", [(2, 7), (5, 7), (2, 5)], 10 * 7),
        ("BATCH_MATMUL", [(3, 2, 7), (3, 7, 5), (3, 2, 5)], 30 * 7),
        ("TRANSPOSE_CONV", [(4,), (5, 2, 3, 8), (1, 3, 3, 8), (1, 6, 6, 5)], 72 * 30),
        ("ADD", [(1, 4), (1, 4), (1, 4)], 0),
        ("UNIDIRECTIONAL_SEQUENCE_LSTM", [(1, 4), (1, 4)], None),
    ],
)
def test_multiply_adds(name: str, shapes: list, expected: int | None):
    tensors = [tensor("float32", shape) for shape in shapes]
    assert multiply_adds_of(name, operator(len(shapes) - 1), tensors) == expected


def test_multiply_adds_of_a_product_with_its_left_side_transposed():
    tensors = [tensor("float32", shape) for shape in ((3, 7, 2), (3, 7, 5), (3, 2, 5))]
    assert multiply_adds_of("BATCH_MATMUL", operator(2, left_transposed=True), tensors) == 30 * 7
