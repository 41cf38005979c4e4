"""Numbered weights: a range is found by its content, wherever it went, and only if nothing was done to its numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.machine.index_numbers import LARGEST_EXACT, Numbering, NumberRange, StorageMap, read_maps
from tests.exporters.conv_cases import exact_rule, seeds


def one_range(shape: tuple[int, ...] = (2, 3), first: int = 5, sign: int = 1) -> NumberRange:
    return NumberRange(sign=sign, first=first, shape=shape)


def read(own: NumberRange, stored: np.ndarray) -> StorageMap | None:
    return read_maps([own], [("other", np.zeros(3, np.float32)), ("w", stored)]).get(own)


@exact_rule
@given(
    shape=st.lists(st.integers(1, 5), min_size=1, max_size=4).map(tuple),
    first=st.integers(1, 1000),
    sign=st.sampled_from([1, -1]),
    padding=st.integers(0, 9),
    seed=seeds,
)
def test_any_rearrangement_with_padding_is_read_back(
    shape: tuple[int, ...], first: int, sign: int, padding: int, seed: int
) -> None:
    own = one_range(shape, first, sign)
    generator = np.random.default_rng(seed)
    order = generator.permutation(np.concatenate([np.arange(own.count), np.full(padding, -1)]))
    stored = np.concatenate([own.weight().ravel(), [0]])[order].astype(np.float32)
    place = read(own, stored)
    assert place is not None
    assert (place.name, place.shape, place.padding) == ("w", stored.shape, padding)
    np.testing.assert_array_equal(place.source, order)
    rows = generator.standard_normal((2, own.count))
    np.testing.assert_array_equal(place.arrange(rows), np.concatenate([rows, np.zeros((2, 1))], axis=1)[:, order])


@pytest.mark.parametrize(
    "change",
    [
        lambda w: w * 2,
        lambda w: w * 0.5,
        lambda w: w + 1,
        lambda w: -w,
        lambda w: w * np.nan,
        lambda w: w[:, :2],
        lambda w: np.where(w == 6, 7, w),
        lambda w: np.concatenate([w, w]),
        lambda w: w * np.asarray([[1], [3]]),
        lambda w: w + np.eye(2, 3) * 1e-3,
    ],
)
def test_numbers_that_were_changed_are_not_taken_for_a_rearrangement(change: object) -> None:
    own = one_range()
    assert read(own, own.weight()) is not None
    assert read(own, np.asarray(change(own.weight()), np.float32)) is None  # type: ignore[operator]


def test_a_weight_that_is_stored_twice_is_refused() -> None:
    own = one_range()
    assert read_maps([own], [("a", own.weight()), ("b", own.weight())]) == {}


def test_ranges_do_not_overlap_and_end_where_float32_is_not_exact() -> None:
    numbering = Numbering(limit=10)
    taken = [numbering.take((2, 3)), numbering.take((4,)), numbering.take((2, 2)), numbering.take((6,))]
    assert taken == [
        one_range((2, 3), 1),
        one_range((4,), 7),
        one_range((2, 2), 1, -1),
        one_range((6,), 5, -1),
    ]
    assert numbering.take((1,)) is None
    assert Numbering().take((LARGEST_EXACT,)) is not None
    assert Numbering().take((LARGEST_EXACT + 1,)) is None
    assert int(np.float32(LARGEST_EXACT)) == LARGEST_EXACT
    assert int(np.float32(LARGEST_EXACT + 1)) != LARGEST_EXACT + 1


def test_padding_can_be_given_another_number() -> None:
    place = StorageMap(name="w", shape=(3,), source=np.asarray([1, -1, 0]))
    np.testing.assert_array_equal(place.arrange(np.asarray([[4.0, 5.0]]), padding=9.0), [[5.0, 9.0, 4.0]])
