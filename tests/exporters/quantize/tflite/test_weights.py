"""Weights and biases on their grids: a scale a channel, biases in products of both scales, none beyond int32."""

from __future__ import annotations

import numpy as np
import pytest

from condmix.exporters.quantize.parameters import INT8, Affine
from condmix.exporters.quantize.tflite.weights import (
    LARGEST_BIAS,
    int8_bank,
    int8_weight,
    integer_constant,
    integer_filter,
)
from condmix.exporters.tflite.model import Tensor
from condmix.exporters.tflite.schema import Operator, TensorType

SOURCE = Affine(scale=0.05, zero_point=3, grid=INT8)


def tensor(array: np.ndarray) -> Tensor:
    return Tensor(name="w", shape=array.shape, type=TensorType.FLOAT32, data=array.astype(np.float32))


def real(stored: Tensor, axis: int) -> np.ndarray:
    """What the stored numbers stand for."""
    assert stored.data is not None
    assert stored.quantization is not None
    shape = [-1 if index == axis else 1 for index in range(stored.data.ndim)]
    return (stored.data.astype(float) - stored.quantization.zero_point) * np.asarray(
        stored.quantization.scales
    ).reshape(shape)


@pytest.mark.parametrize(
    ("operator", "shape", "axis"),
    [
        (Operator.CONV_2D, (5, 3, 3, 4), 0),
        (Operator.DEPTHWISE_CONV_2D, (1, 3, 3, 5), 3),
        (Operator.FULLY_CONNECTED, (5, 7), 0),
    ],
)
def test_a_scale_for_each_output_channel(operator: Operator, shape: tuple[int, ...], axis: int) -> None:
    generator = np.random.default_rng(0)
    spread = [1, 10, 100, 1000, 0][: shape[axis]]
    weight = generator.standard_normal(shape) * np.reshape(
        spread, [-1 if index == axis else 1 for index in range(len(shape))]
    )
    made = int8_weight(tensor(weight), operator)
    assert made.data is not None
    assert made.quantization is not None
    assert (made.type, made.data.dtype, made.quantization.axis) == (TensorType.INT8, np.int8, axis)
    assert (np.abs(made.data).max(), len(made.quantization.scales)) == (127, 5)
    step = np.asarray(made.quantization.scales).reshape([-1 if i == axis else 1 for i in range(len(shape))])
    assert (np.abs(real(made, axis) - weight) <= step * 0.501).all()


def test_a_part_of_a_kernel_has_the_scales_of_all_of_it() -> None:
    """Rounding for the data has put the whole kernel on that grid: another would round its numbers again."""
    step = np.asarray([0.25, 2.0, 1.0])
    whole = np.random.default_rng(0).integers(-100, 100, (1, 7, 7, 3)) * step
    whole[0, 6, 6] = 127 * step
    bias = Tensor(name="b", shape=(3,), type=TensorType.FLOAT32, data=np.zeros(3, np.float32))
    for rows in (slice(0, 3), slice(3, 6), slice(6, 7)):
        part = tensor(whole[:, rows])
        part.whole = whole.astype(np.float32)
        made = integer_filter(part, bias, Operator.DEPTHWISE_CONV_2D, SOURCE, TensorType.INT32).weight
        np.testing.assert_array_equal(real(made, 3), whole[:, rows])
    # On its own, the first part would lie between the steps of its own grid.
    assert np.abs(real(int8_weight(tensor(whole[:, :3]), Operator.DEPTHWISE_CONV_2D), 3) - whole[:, :3]).max() > 0.01


def test_a_bank_has_one_scale_and_no_zero_point() -> None:
    made = int8_bank(tensor(np.asarray([[0.5, -2.0], [1.0, 0.0]])))
    assert made.quantization is not None
    assert made.data is not None
    assert made.quantization.single_scale == pytest.approx(2 / 127)
    assert made.quantization.zero_point == 0
    np.testing.assert_array_equal(made.data, [[32, -127], [64, 0]])


def test_a_bias_counts_in_products_of_both_scales() -> None:
    made = integer_filter(
        tensor(np.full((2, 1, 1, 1), [[[[1.27]]], [[[12.7]]]])),
        tensor(np.asarray([1.0, -2.0])),
        Operator.CONV_2D,
        SOURCE,
        TensorType.INT32,
    )
    assert made.bias is not None
    assert made.bias.data is not None
    assert made.bias.quantization is not None
    assert made.bias.data.dtype == np.int32
    np.testing.assert_allclose(made.bias.quantization.scales, [0.01 * 0.05, 0.1 * 0.05], rtol=1e-6)
    np.testing.assert_array_equal(made.bias.data, [2000, -400])


def test_a_bias_that_would_not_fit_makes_its_weights_coarser() -> None:
    weight, bias = tensor(np.asarray([[1e-9], [1.0]])), tensor(np.asarray([3.0, 3.0]))
    made = integer_filter(weight, bias, Operator.FULLY_CONNECTED, SOURCE, TensorType.INT32)
    assert made.bias is not None
    assert made.bias.data is not None
    assert made.bias.quantization is not None
    assert np.abs(made.bias.data.astype(np.int64)).max() <= LARGEST_BIAS * 1.001
    np.testing.assert_allclose(made.bias.data * np.asarray(made.bias.quantization.scales), [3.0, 3.0], rtol=1e-3)
    wide = integer_filter(weight, bias, Operator.FULLY_CONNECTED, SOURCE, TensorType.INT64)
    assert wide.bias is not None
    assert wide.bias.data is not None
    assert wide.bias.data.dtype == np.int64
    assert wide.bias.data.max() > 2**31


def test_other_constants_take_the_scale_they_are_told_or_their_own() -> None:
    made = integer_constant(tensor(np.asarray([0.5])), TensorType.INT8)
    assert real(made, 0)[0] == pytest.approx(0.5)
    told = integer_constant(tensor(np.asarray([-3e38, 0.1])), TensorType.INT8, SOURCE)
    assert told.data is not None
    np.testing.assert_array_equal(told.data, [-128, 5])
    wide = integer_constant(tensor(np.asarray([0.5])), TensorType.INT16)
    assert wide.data is not None
    assert (wide.data.dtype, int(wide.data[0])) == (np.int16, 32767)
