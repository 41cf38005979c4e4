"""Each method against what it promises, computed another way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.errors import CalibrationError
from condmix.exporters.quantize.bounds import ZERO_TO_ONE, Bound
from condmix.exporters.quantize.histogram import Histogram
from condmix.exporters.quantize.parameters import INT8, asymmetric, stored
from condmix.exporters.quantize.ranges import Range
from condmix.exporters.quantize.select import DEFAULT_METHOD, METHODS, SHRINK_FACTORS, check_method, select
from tests.exporters.conv_cases import exact_rule, seeds


def histogram_of(array: np.ndarray) -> Histogram:
    histogram = Histogram()
    histogram.add(array.astype(np.float32))
    return histogram


def normal(count: int = 40_000, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(count)


def heavy_tailed(count: int = 40_000, seed: int = 0) -> np.ndarray:
    """A few elements twenty times as large as the rest."""
    numbers = normal(count, seed)
    numbers[:8] *= 20
    return numbers


def with_one_outlier(outlier: float) -> Histogram:
    """Four million elements: only among many is one not worth a coarser step for all."""
    found = Histogram()
    for _ in range(100):
        found.add(normal().astype(np.float32))
    found.add(np.array([outlier], np.float32))
    return found


def squared_error(array: np.ndarray, span: Range) -> float:
    """Of really rounding and clipping: the oracle."""
    affine = asymmetric(span)
    back = (stored(array, affine.scale, affine.zero_point, INT8).astype(float) - affine.zero_point) * affine.scale
    return float(np.mean((back - array) ** 2))


def test_the_default_is_one_of_the_methods() -> None:
    assert DEFAULT_METHOD in METHODS


@exact_rule
@given(st.sampled_from(METHODS), st.floats(-50, 50), st.floats(0.01, 50), st.integers(1, 400), seeds)
def test_no_method_goes_beyond_what_was_seen(method: str, centre: float, spread: float, count: int, seed: int) -> None:
    array = (centre + spread * normal(count, seed)).astype(np.float32)
    chosen = select(histogram_of(array), method)
    seen = Range.around(array.min(), array.max())
    assert seen.low <= chosen.low <= 0 <= chosen.high <= seen.high
    assert chosen.largest > 0
    if method == "minmax":
        assert chosen == seen


@pytest.mark.parametrize("percentile", [90.0, 99.0, 99.9])
def test_a_percentile_cuts_off_its_share_at_either_end(percentile: float) -> None:
    array = normal().astype(np.float32)
    chosen = select(histogram_of(array), "percentile", percentile=percentile)
    outside = 1 - percentile / 100
    for share in ((array < chosen.low).mean(), (array > chosen.high).mean()):
        assert share <= outside
        # One bin more would cut off too many: 8 / 8192 of the reach holds a fiftieth of a percent here.
        assert share >= outside - 6e-4
    assert select(histogram_of(array), "percentile", percentile=100) == select(histogram_of(array), "minmax")


@pytest.mark.parametrize(
    "array",
    [normal(), heavy_tailed(), np.maximum(heavy_tailed(), 0), np.exp(normal()), normal() ** 3],
    ids=["normal", "outliers", "relu", "log-normal", "cubed"],
)
def test_mse_is_the_best_of_its_candidates(array: np.ndarray) -> None:
    array = array.astype(np.float32)
    chosen = squared_error(array, select(histogram_of(array), "mse"))
    low, high = min(float(array.min()), 0.0), max(float(array.max()), 0.0)
    tried = [
        squared_error(array, Range(low=low * left, high=high * right))
        for left in (SHRINK_FACTORS[::7] if low else (1.0,))
        for right in SHRINK_FACTORS[::7]
    ]
    # Rounding is estimated by step**2 / 12, candidates are stepped over: within a few percent of the true best.
    assert chosen <= 1.05 * min(tried)
    assert chosen <= 1.05 * squared_error(array, Range(low=low, high=high))


def test_outliers_are_clipped_where_that_is_worth_it() -> None:
    found = with_one_outlier(30.0)
    for method in ("entropy", "mse"):
        assert 3.5 < select(found, method).high < 20


@pytest.mark.parametrize("amplified", [8, 64, 512])
def test_mse_is_the_best_for_all_images_alike(amplified: int) -> None:
    """One image in a hundred is so much larger; each image's error is measured by its own size."""
    images = [normal(2000, seed).astype(np.float32) for seed in range(100)]
    images[7] *= amplified
    found = Histogram()
    for image in images:
        found.add(image)

    def relative_error(span: Range) -> float:
        return float(np.mean([squared_error(image, span) / np.mean(image**2.0) for image in images]))

    chosen = select(found, "mse")
    low, high = found.low, found.high
    tried = [
        relative_error(Range(low=low * left, high=high * right))
        for left in SHRINK_FACTORS[::14]
        for right in SHRINK_FACTORS[::14]
    ]
    assert relative_error(chosen) <= 1.05 * min(tried)


def test_an_image_far_too_large_for_all_others_is_given_up() -> None:
    images = [normal(2000, seed).astype(np.float32) for seed in range(100)]
    found = Histogram()
    for image in (*images[1:], 512 * images[0]):
        found.add(image)
    assert select(found, "minmax").high > 1000
    assert select(found, "mse").high < 100


def test_each_end_is_clipped_by_itself() -> None:
    upper, lower = select(with_one_outlier(30.0), "mse"), select(with_one_outlier(-30.0), "mse")
    assert upper.high < 20
    assert upper.low < -3.5
    assert lower.low > -20
    assert lower.high > 3.5


def test_entropy_keeps_a_flat_distribution_whole() -> None:
    array = np.linspace(-1, 1, 40_001)
    chosen = select(histogram_of(array), "entropy")
    assert chosen.low == pytest.approx(-1, abs=0.03)
    assert chosen.high == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("method", METHODS)
def test_an_end_at_which_the_operator_clips_is_kept(method: str) -> None:
    """ReLU6 with one element at 6 and the rest far below: 6 itself is no outlier."""
    array = np.clip(0.3 * normal(), 0, 6)
    array[0] = 6.0
    bound = Bound(low=0.0, high=6.0)
    assert select(histogram_of(array), method, bound=bound) == Range(low=0.0, high=6.0)
    if method != "minmax":
        assert select(histogram_of(array), method).high < 6


@pytest.mark.parametrize("method", METHODS)
def test_an_end_that_was_not_reached_is_free(method: str) -> None:
    array = np.clip(0.3 * normal(), 0, 6)
    assert select(histogram_of(array), method, bound=Bound(low=0.0, high=6.0)).high < 2


@pytest.mark.parametrize("method", METHODS)
def test_an_exact_bound_is_the_range(method: str) -> None:
    assert select(histogram_of(np.array([0.2, 0.3])), method, bound=ZERO_TO_ONE) == Range(low=0.0, high=1.0)


@pytest.mark.parametrize("method", METHODS)
def test_zeros_and_a_single_number_have_a_range(method: str) -> None:
    assert select(histogram_of(np.zeros(10)), method) == Range(low=0.0, high=0.0)
    assert 0 < select(histogram_of(np.full(10, 3.0)), method).high <= 3.0


def test_nothing_seen_has_none() -> None:
    with pytest.raises(CalibrationError, match="no range can be selected: not one finite number was seen"):
        select(histogram_of(np.array([np.nan])))


def test_all_wrong_choices_are_named() -> None:
    with pytest.raises(CalibrationError) as caught:
        check_method("average", 40)
    assert str(caught.value) == (
        "the method is 'average': expected one of minmax, percentile, entropy, mse; "
        "the percentile is 40: expected above 50, at most 100"
    )
