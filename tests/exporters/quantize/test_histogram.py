"""Extremes are exact, no element is lost, and the order and the size of arrays do not matter."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.quantize.histogram import BINS, MOST_BINNED, Histogram
from tests.exporters.conv_cases import exact_rule, seeds

NUMBERS = st.lists(st.floats(-1e6, 1e6, width=32, allow_subnormal=False), max_size=40)
"""Subnormal ones beside large ones may be scaled to zero, which lies in the bin next to theirs."""


def of(*arrays: np.ndarray) -> Histogram:
    histogram = Histogram()
    for array in arrays:
        histogram.add(array)
    return histogram


def same(one: Histogram, other: Histogram) -> bool:
    names = ("count", "low", "high", "nan_count", "infinity_count", "arrays", "unsound_arrays", "zeros", "reach")
    return all(getattr(one, name) == getattr(other, name) for name in names) and all(
        np.array_equal(left, right)
        for left, right in ((one.counts, other.counts), (one.fair_counts, other.fair_counts))
    )


@exact_rule
@given(st.lists(NUMBERS, min_size=1, max_size=5))
def test_extremes_are_exact_and_every_element_is_in_its_bin(parts: list[list[float]]) -> None:
    arrays = [np.array(part, np.float32) for part in parts]
    found, everything = of(*arrays), np.concatenate(arrays)
    assert found.count == everything.size == found.binned
    if not everything.size:
        assert found.is_empty
        return
    assert (found.low, found.high) == (everything.min(), everything.max())
    assert found.zeros == (everything == 0).sum()
    if found.reach:
        # A power of two above every number; np.histogram as the oracle of the bins.
        assert math.frexp(found.reach)[0] == 0.5
        assert found.reach > np.abs(everything).max()
        rest = everything[everything != 0].astype(np.float64)
        np.testing.assert_array_equal(found.counts, np.histogram(rest, bins=found.edges)[0])


@exact_rule
@given(st.lists(NUMBERS, min_size=1, max_size=4), st.lists(NUMBERS, min_size=1, max_size=4))
def test_two_merged_are_as_one_that_saw_everything(left: list[list[float]], right: list[list[float]]) -> None:
    first, second = ([np.array(part, np.float32) for part in parts] for parts in (left, right))
    merged = of(*first)
    merged.merge(of(*second))
    assert same(merged, of(*first, *second))
    backwards = of(*second)
    backwards.merge(of(*first))
    assert same(merged, backwards)


def test_widening_joins_pairs_and_loses_nothing() -> None:
    generator = np.random.default_rng(0)
    small = generator.standard_normal(1000).astype(np.float32)
    found = of(small)
    narrow = found.reach
    found.add(np.array([1000.0], np.float32))
    assert found.reach == 1024.0 > narrow
    assert found.binned == 1001
    np.testing.assert_array_equal(found.counts, np.histogram([*small.astype(float), 1000.0], bins=found.edges)[0])


def test_an_array_counts_less_by_as_much_as_it_is_louder_than_the_median_one() -> None:
    usual = np.array([1.0, -1.5, 0.5], np.float32)  # mean squares from 1 to 2 for all scales below
    found = of(usual, usual / 64, usual * 4, usual)
    assert found.counts.sum() == 12
    # The median is the usual one: a quiet array counts as it does, one of 16 times the mean square a sixteenth.
    assert found.fair_counts.sum() == 9 + 3 / 16
    loud = found.edges[:-1] >= 2
    np.testing.assert_array_equal(found.fair_counts[loud], found.counts[loud] / 16)
    np.testing.assert_array_equal(found.fair_counts[found.edges[:-1] < -2], found.counts[found.edges[:-1] < -2] / 16)


def test_arrays_of_one_loudness_all_count_in_full() -> None:
    generator = np.random.default_rng(0)
    found = of(*(generator.choice([-1.25, 1.0, 1.25], 50).astype(np.float32) for _ in range(5)))
    np.testing.assert_array_equal(found.fair_counts, found.counts)


def test_arrays_of_zeros_say_nothing_of_what_is_usual() -> None:
    """A value that is dead on most images is rounded for the others."""
    usual = np.array([1.0, -1.5, 0.5], np.float32)
    found = of(*[np.zeros(3, np.float32)] * 5, usual, usual * 4, usual)
    assert found.fair_counts.sum() == 6 + 3 / 16


@exact_rule
@given(st.integers(MOST_BINNED + 1, 12 * MOST_BINNED), seeds)
def test_of_a_large_array_a_part_is_binned_and_the_extremes_are_of_all(size: int, seed: int) -> None:
    array = np.ones(size, np.float32)
    places = np.random.default_rng(seed).choice(size, 2, replace=False)
    array[places] = (-70.0, 90.0)
    found = of(array)
    assert (found.low, found.high, found.count) == (-70.0, 90.0, size)
    # The distance is raised until it shares no factor with the size: at worst from 2 to 17.
    assert MOST_BINNED // 17 < found.binned <= MOST_BINNED


def test_a_part_is_drawn_from_every_channel_row_and_column() -> None:
    """A distance that divides the width would see one column only."""
    channels, height, width = 64, 112, 112
    for axis, length in enumerate((channels, height, width)):
        marked = np.zeros((channels, height, width), np.float32)
        marked += np.arange(length).reshape([-1 if a == axis else 1 for a in range(3)]) + 1
        found = of(marked)
        per_value = [found.counts[int(BINS // 2 + (value + 0.0) / found.bin_width)] for value in range(1, length + 1)]
        share = np.array(per_value) / found.binned * length
        assert share.min() > 0.9
        assert share.max() < 1.1


def test_later_arrays_show_other_elements() -> None:
    array = np.zeros(4 * MOST_BINNED + 1, np.float32)
    array[::5] = 1.0
    found = of(*[array] * 5)
    assert found.counts.sum() == pytest.approx(found.binned / 5, rel=1e-3)


def test_what_is_not_finite_is_counted_and_left_out() -> None:
    found = of(
        np.array([1.0, np.nan, np.inf], np.float32),
        np.array([-np.inf, np.nan], np.float32),
        np.array([-2.0], np.float32),
    )
    assert (found.nan_count, found.infinity_count, found.unsound_arrays, found.arrays) == (2, 2, 2, 3)
    assert (found.low, found.high, found.count, found.binned) == (-2.0, 1.0, 6, 2)


def test_nothing_and_zeros_only_have_no_reach() -> None:
    assert of(np.zeros((0, 3), np.float32)).is_empty
    found = of(np.zeros((2, 3), np.float32))
    assert not found.is_empty
    assert (found.low, found.high, found.zeros, found.reach) == (0.0, 0.0, 6, 0.0)


@pytest.mark.parametrize("number", [np.finfo(np.float32).max, np.float32(1e-45), -np.finfo(np.float32).tiny])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_ends_of_float32_are_binned(number: float, dtype: type) -> None:
    found = of(np.array([number, 0.0], dtype))
    assert found.binned == 2
    assert found.counts.sum() == found.fair_counts.sum() == 1


@pytest.mark.parametrize("number", [1e200, 1e-200])
def test_squares_that_float64_does_not_hold_are_counted_too(number: float) -> None:
    found = of(np.array([number, 0.0]))
    assert found.counts.sum() == found.fair_counts.sum() == 1
