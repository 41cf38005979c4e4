"""Weights on their grids: no pair overflows 16 bits, every bias fits, one scale serves a bank."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.errors import CalibrationError
from condmix.exporters.quantize.onnx.condconv import MixedKernel
from condmix.exporters.quantize.onnx.weights import (
    LARGEST_BIAS,
    PAIR_LIMIT,
    WeightGrid,
    largest_pair,
    stored_bank,
    stored_weight,
)
from condmix.exporters.quantize.parameters import INT7_SYMMETRIC, INT8_SYMMETRIC, Grid, channel_scales, stored
from condmix.exporters.quantize.ranges import Ranges
from tests.exporters.conv_cases import exact_rule, seeds


def worst_pair_sum(rows: np.ndarray) -> int:
    """What x86 without VNNI adds in 16 bits: two activations of 8 bits times two neighbours of a row."""
    padded = np.pad(rows.astype(int), ((0, 0), (0, rows.shape[1] % 2))).reshape(len(rows), -1, 2)
    return int(max((255 * np.maximum(sign * padded, 0).sum(axis=2)).max() for sign in (1, -1)))


@exact_rule
@given(
    seed=seeds,
    out=st.integers(1, 5),
    channels=st.integers(1, 9),
    taps=st.sampled_from([(1, 1), (3, 3), (1, 3)]),
    tails=st.floats(0.5, 3.0),
)
def test_no_pair_overflows_16_bits(seed: int, out: int, channels: int, taps: tuple[int, int], tails: float) -> None:
    generator = np.random.default_rng(seed)
    normal = generator.standard_normal((out, channels, *taps))
    weight = (np.sign(normal) * np.abs(normal) ** tails).astype(np.float32)
    made = stored_weight(weight, 0, None, 1.0, WeightGrid.SAFE_PAIRS)
    # The kernel walks over a window tap by tap, all channels of a tap together.
    assert worst_pair_sum(made.weight.transpose(0, 2, 3, 1).reshape(out, -1)) < 2**15
    np.testing.assert_allclose(made.weight * made.scale_o[:, None, None, None], weight, atol=made.scale_o.max() * 0.501)


def test_eight_bits_may_overflow() -> None:
    """What the other grid is for."""
    made = stored_weight(np.ones((1, 2, 1, 1), np.float32), 0, None, 1.0, WeightGrid.EIGHT_BITS)
    assert worst_pair_sum(made.weight.reshape(1, -1)) >= 2**15


def test_safe_pairs_are_finer_than_seven_bits() -> None:
    weight = np.random.default_rng(0).standard_normal((8, 120, 1, 1)).astype(np.float32)
    scales = stored_weight(weight, 0, None, 1.0, WeightGrid.SAFE_PAIRS).scale_o
    assert (scales / channel_scales(weight, grid=INT7_SYMMETRIC)).mean() < 0.75
    assert (scales >= channel_scales(weight, grid=INT8_SYMMETRIC)).all()


def test_weights_on_seven_bits_stay_there() -> None:
    """Adaptive rounding has put them there with care."""
    integers = np.random.default_rng(0).integers(-63, 64, (4, 31))
    integers[:, 0] = 63
    scale_o = np.asarray([0.1, 0.02, 3.0, 1e-4], np.float32)
    weight = (integers * scale_o[:, None]).astype(np.float32)
    made = stored_weight(weight, 0, None, 1.0, WeightGrid.SAFE_PAIRS)
    np.testing.assert_array_equal(made.weight, integers)


def test_rows_of_a_matrix_are_its_inputs() -> None:
    weight = np.asarray([[100.0, -90.0], [100.0, 10.0], [-50.0, 10.0]], np.float32)
    np.testing.assert_array_equal(largest_pair(weight, 1), [200, 90])


def test_pairs_of_a_kernel_lie_within_a_tap() -> None:
    weight = np.asarray([[[[100.0, 1.0]], [[-5.0, 2.0]]]], np.float32)
    assert largest_pair(weight, 0).tolist() == [100]


@pytest.mark.parametrize("grid", list(WeightGrid))
def test_a_large_bias_gets_the_scale_it_needs(grid: WeightGrid) -> None:
    weight = np.asarray([[1e-9, 2e-9], [0.0, 0.0], [1.0, -1.0]], np.float32).reshape(3, 2, 1, 1)
    bias = np.asarray([50.0, -3.0, 0.5], np.float32)
    made = stored_weight(weight, 0, bias, 0.02, grid)
    assert made.bias_o is not None
    assert np.abs(made.bias_o.astype(np.float64)).max() <= LARGEST_BIAS + 1
    real = made.bias_o * (np.float32(0.02) * made.scale_o.astype(np.float64))
    np.testing.assert_allclose(real, bias, rtol=1e-6, atol=0.02 * made.scale_o[2])


def test_a_channel_of_zeros_without_bias_is_harmless() -> None:
    made = stored_weight(np.zeros((2, 3, 1, 1), np.float32), 0, np.zeros(2, np.float32), 0.1, WeightGrid.SAFE_PAIRS)
    assert made.scale_o.tolist() == [1.0, 1.0]
    assert not made.weight.any()


def kernel_of(experts_eoihw: np.ndarray, output_axis: int) -> MixedKernel:
    return MixedKernel(
        routing="gates",
        mixed="mixed",
        kernel="kernel",
        shape=(),
        output_axis=output_axis,
        experts_eoihw=experts_eoihw,
        is_depthwise=False,
    )


def ranges_of(rows: np.ndarray | None) -> Ranges:
    routing = {} if rows is None else {"gates": rows}
    return Ranges(method="minmax", image_count=3, images_sha256="", values={}, routing=routing)


@pytest.mark.parametrize("grid", [INT8_SYMMETRIC, INT7_SYMMETRIC])
@pytest.mark.parametrize("output_axis", [0, 1])
def test_a_bank_gives_the_mixed_kernel(grid: Grid, output_axis: int) -> None:
    generator = np.random.default_rng(1)
    sizes = np.asarray([0.01, 1.0, 30.0]).reshape(3, 1, 1, 1)
    experts = (generator.standard_normal((4, 3, 5, 1, 1)) * sizes).astype(np.float32)
    rows = generator.uniform(0, 1, (40, 4)).astype(np.float32)
    bank = stored_bank(kernel_of(experts, output_axis), ranges_of(rows), grid)
    assert np.abs(bank.bank_en.astype(int)).max() == 127
    for row in rows:
        integers = stored(row @ bank.bank_en.astype(np.float64) * bank.bank_scale, bank.kernel_step, 0, INT8_SYMMETRIC)
        # No kernel that calibration saw leaves its grid, and each channel is as fine as its own weights.
        assert np.abs(integers.astype(int)).max() <= grid.high + 1
        shape = (3, 5) if output_axis == 0 else (5, 3)
        kernel_oi = integers.reshape(shape) if output_axis == 0 else integers.reshape(shape).T
        exact_oi = np.tensordot(row, experts[..., 0, 0], 1)
        error = np.abs(kernel_oi * bank.scale_o[:, None] - exact_oi)
        assert (
            error <= 0.501 * bank.scale_o[:, None] + 4 * 0.51 * bank.bank_scale * bank.scale_o[:, None] * grid.high
        ).all()


def test_experts_that_were_never_mixed_are_kept() -> None:
    """A routing of zeros says nothing about sizes."""
    experts = np.ones((2, 1, 1, 1, 1), np.float32)
    bank = stored_bank(kernel_of(experts, 0), ranges_of(np.zeros((3, 2), np.float32)), INT8_SYMMETRIC)
    assert bank.bank_en.tolist() == [[127], [127]]


@pytest.mark.parametrize("rows", [None, np.zeros((0, 2), np.float32), np.zeros((3, 5), np.float32)])
def test_a_bank_needs_its_routing(rows: np.ndarray | None) -> None:
    with pytest.raises(CalibrationError, match="no routing is known for 'gates': calibrate this network"):
        stored_bank(kernel_of(np.ones((2, 1, 1, 1, 1), np.float32), 0), ranges_of(rows), INT8_SYMMETRIC)


def test_the_limit_is_what_16_bits_hold() -> None:
    assert 255 * PAIR_LIMIT < 2**15 <= 255 * (PAIR_LIMIT + 1)
