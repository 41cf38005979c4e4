"""Scales and zero points: every number of a range lies on the grid, and rounding is off by half a step at most."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.quantize.parameters import (
    INT7_SYMMETRIC,
    INT8,
    INT8_SYMMETRIC,
    INT16_SYMMETRIC,
    UINT7,
    UINT8,
    Grid,
    asymmetric,
    channel_scales,
    stored,
    symmetric,
)
from condmix.exporters.quantize.ranges import Range

ENDS = st.floats(-1e4, 1e4, allow_nan=False, width=32)


@given(st.tuples(ENDS, ENDS), st.sampled_from([INT8, UINT8, UINT7]))
def test_an_asymmetric_grid_covers_its_range_with_zero_on_it(ends: tuple[float, float], grid: Grid) -> None:
    span = Range.around(min(ends), max(ends))
    affine = asymmetric(span, grid)
    assert grid.low <= affine.zero_point <= grid.high
    assert affine.scale == np.float32(affine.scale)
    for real in np.linspace(span.low, span.high, 7):
        number = int(stored(np.asarray(real), affine.scale, affine.zero_point, grid))
        back = (number - affine.zero_point) * affine.scale
        # Half a step, and another half at the ends, where rounding the zero point moved the grid.
        assert abs(back - real) <= 1.001 * affine.scale
    assert int(stored(np.zeros(()), affine.scale, affine.zero_point, grid)) == affine.zero_point


@pytest.mark.parametrize(
    ("grid", "dtype"),
    [(INT8, np.int8), (UINT8, np.uint8), (UINT7, np.uint8), (INT7_SYMMETRIC, np.int8), (INT16_SYMMETRIC, np.int16)],
)
def test_stored_numbers_have_the_type_of_their_grid_and_stay_on_it(grid: Grid, dtype: type) -> None:
    numbers = stored(np.array([-1e9, 0.0, 1e9]), 1.0, 0, grid)
    assert numbers.dtype == dtype
    assert (int(numbers[0]), int(numbers[2])) == (grid.low, grid.high)


def test_halves_are_rounded_to_even() -> None:
    np.testing.assert_array_equal(stored(np.array([0.5, 1.5, 2.5, -0.5]), 1.0, 0, INT8), [0, 2, 2, 0])


def test_a_symmetric_grid_ends_at_the_largest_number() -> None:
    affine = symmetric(2.54)
    assert (affine.zero_point, affine.grid) == (0, INT8_SYMMETRIC)
    assert affine.scale == pytest.approx(0.02)
    assert affine.range.low == pytest.approx(-2.54)


def test_a_range_of_zero_alone_has_a_harmless_scale() -> None:
    assert asymmetric(Range.around(0, 0)).scale == 1.0
    assert symmetric(0.0).scale == 1.0


def test_channel_scales_follow_each_slice_and_zeros_get_one() -> None:
    weight = np.zeros((3, 2, 1, 1), np.float32)
    weight[0, 0], weight[2, 1] = 1.27, -254.0
    scales = channel_scales(weight)
    np.testing.assert_allclose(scales, [0.01, 1.0, 2.0], rtol=1e-6)
    assert scales.dtype == np.float32
    np.testing.assert_allclose(channel_scales(weight, axis=1), [0.01, 2.0], rtol=1e-6)
    np.testing.assert_allclose(channel_scales(weight, grid=INT7_SYMMETRIC)[2], 254 / 63, rtol=1e-6)


def test_weights_on_their_grid_are_stored_as_they_are() -> None:
    """What adaptive rounding decided is found again by every lowering."""
    generator = np.random.default_rng(0)
    numbers = generator.integers(-127, 128, (4, 3, 3, 3))
    numbers[:, 0, 0, 0] = 127
    steps = np.array([0.1, 0.003, 7.0, 1e-5], np.float32)
    weight = numbers * steps[:, None, None, None]
    scales = channel_scales(weight.astype(np.float32))
    np.testing.assert_allclose(scales, steps, rtol=1e-6)
    again = stored(weight.astype(np.float32), scales[:, None, None, None], 0, INT8_SYMMETRIC)
    np.testing.assert_array_equal(again, numbers)


def test_a_subnormal_range_does_not_divide_by_zero() -> None:
    affine = asymmetric(Range.around(0.0, 1e-45))
    assert affine.scale > 0
    assert int(stored(np.zeros(()), affine.scale, affine.zero_point, INT8)) == affine.zero_point
