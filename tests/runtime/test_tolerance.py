import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.runtime.artifact import Precision
from condmix.runtime.errors import InvalidRecordError, InvalidSettingError
from condmix.runtime.tolerance import Tolerance, rows_of

FLOAT32 = Tolerance.for_precision("float32")


def test_the_named_tolerances():
    assert Tolerance(relative=2e-5, absolute=1e-7, own_error_multiple=4.0) == FLOAT32
    assert (FLOAT32.outlier_fraction, FLOAT32.ill_conditioned_above) == (0.0, 1e-3)
    assert Tolerance.for_precision(Precision.FLOAT32) == FLOAT32
    assert Tolerance.for_precision("float64").relative == 1e-12
    assert Tolerance.exact() == Tolerance(relative=0.0, absolute=0.0, own_error_multiple=0.0)


@pytest.mark.parametrize("name", ["int8", Precision.INT8, "float33"])
def test_a_precision_without_a_tolerance_is_refused(name: str):
    with pytest.raises(InvalidSettingError) as caught:
        Tolerance.for_precision(name)
    assert caught.value.problems == (
        f"no tolerance is named '{name}', known are 'float32', 'float32_tflite', 'float16_weights', 'int8_experts', "
        "'float64': "
        "give Tolerance(relative=..., absolute=..., own_error_multiple=...)",
    )


def test_impossible_tolerances_name_every_field():
    with pytest.raises(InvalidSettingError) as caught:
        Tolerance(relative=1.0, absolute=-1e-7, own_error_multiple=math.nan, outlier_fraction=1)
    assert caught.value.problems == (
        "absolute must be a finite number of at least 0, found -1e-07",
        "own_error_multiple must be a finite number of at least 0, found nan",
        "relative must be below 1, found 1.0: everything would pass",
        "outlier_fraction must be below 1, found 1: everything would pass",
    )


def test_each_row_has_the_limit_of_its_own_scale():
    reference = np.array([[1.0, -8.0], [0.25, 0.5], [0.0, 0.0]])
    tolerance = Tolerance(relative=0.125, absolute=0.5, own_error_multiple=4.0)
    limits = tolerance.limits(reference, None)
    np.testing.assert_array_equal(limits.scale, [8.0, 0.5, 0.0])
    np.testing.assert_array_equal(limits.limit, [1.5, 0.5625, 0.5])
    np.testing.assert_array_equal(limits.base, limits.limit)
    assert (limits.own_relative, limits.ill_conditioned) == (None, False)


def test_the_own_error_widens_the_limit_by_its_multiple_in_every_row():
    reference = np.array([[1.0, 0.5], [100.0, -3.0]])
    own = reference + np.array([[0.0, 1e-4], [1e-3, 0.0]])  # 1e-4 of row 0, 1e-5 of row 1
    limits = FLOAT32.limits(reference, own)
    assert limits.own_relative == pytest.approx(1e-4, rel=1e-9)
    assert not limits.ill_conditioned
    np.testing.assert_allclose(limits.limit, [4e-4, 4e-2], rtol=1e-9)
    np.testing.assert_allclose(limits.base, [2e-5 + 1e-7, 2e-3 + 1e-7], rtol=1e-12)


def test_a_small_own_error_leaves_the_limit():
    reference = np.ones((2, 3))
    limits = FLOAT32.limits(reference, reference + 4e-6)
    np.testing.assert_array_equal(limits.limit, limits.base)


@pytest.mark.parametrize(("own_error", "ill"), [(0.99e-3, False), (1.01e-3, True)])
def test_beyond_the_threshold_the_limit_is_not_widened(own_error: float, ill: bool):
    reference = np.ones((1, 3))
    limits = FLOAT32.limits(reference, reference + own_error)
    assert limits.ill_conditioned is ill
    assert limits.limit[0] == pytest.approx(limits.base[0] if ill else 4 * own_error, rel=1e-9)


def test_a_float32_result_that_is_not_finite_is_ill_conditioned():
    limits = FLOAT32.limits(np.ones((1, 2)), np.array([[1.0, np.nan]], np.float32))
    assert limits.ill_conditioned
    assert limits.own_relative == math.inf
    np.testing.assert_array_equal(limits.limit, limits.base)


@pytest.mark.parametrize(("own", "expected"), [(0.5e-7, 0.0), (1e-6, math.inf)])
def test_a_row_of_zeros_counts_only_beyond_the_absolute_allowance(own: float, expected: float):
    limits = FLOAT32.limits(np.zeros((1, 2)), np.full((1, 2), own))
    assert limits.own_relative == expected
    assert limits.ill_conditioned is (expected == math.inf)


def test_a_scale_below_what_can_be_divided_by_is_a_row_of_zeros():
    limits = FLOAT32.limits(np.full((1, 2), 5e-324), np.ones((1, 2)))
    assert limits.own_relative == math.inf


def test_limits_leave_their_inputs_alone():
    reference, own = np.ones((2, 2)), np.full((2, 2), 2.0)
    for array in (reference, own):
        array.flags.writeable = False
    FLOAT32.limits(reference, own)


@pytest.mark.parametrize(("shape", "rows"), [((), (1, 1)), ((3,), (3, 1)), ((2, 3, 4), (2, 12))])
def test_rows_are_the_indices_of_axis_0(shape: tuple[int, ...], rows: tuple[int, int]):
    assert rows_of(np.zeros(shape)).shape == rows


SHARES = st.floats(0, 0.999, allow_nan=False)


@given(SHARES, st.floats(0, 1e6), st.floats(0, 1e3), SHARES)
def test_a_tolerance_survives_json(relative: float, absolute: float, multiple: float, outliers: float):
    tolerance = Tolerance(relative=relative, absolute=absolute, own_error_multiple=multiple, outlier_fraction=outliers)
    assert Tolerance.from_dict(json.loads(json.dumps(tolerance.to_dict()))) == tolerance


def test_a_misspelt_key_is_refused():
    record = FLOAT32.to_dict()
    with pytest.raises(InvalidRecordError, match="unknown name 'relativ': did you mean 'relative'"):
        Tolerance.from_dict({**record, "relativ": 1e-3})
