"""Axes: values in order, round ticks inside, texts that tell ticks apart and do not touch."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from condmix.deploy.report.axis import Axis, padded, short_number, tick_texts
from condmix.deploy.report.svg import text_width

LENGTHS = st.floats(1e-6, 1e9)


def _axis(low: float, high: float, *, logarithmic: bool = False) -> Axis:
    return Axis(low=low, high=high, start=40, end=340, logarithmic=logarithmic)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 10, (0, 2, 4, 6, 8, 10)),
        (0, 1, (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)),
        (7.13, 7.9, (7.2, 7.4, 7.6, 7.8)),
        (-3, 3, (-2, 0, 2)),
        (0, 16.2, (0, 5, 10, 15)),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: tuple[float, ...]) -> None:
    assert _axis(low, high).ticks(6) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.8, 120, (1, 3, 10, 30, 100)), (1e6, 2e12, (1e6, 1e8, 1e10, 1e12)), (0.5, 8, (0.5, 1, 2, 5))],
)
def test_logarithmic_ticks_are_round(low: float, high: float, expected: tuple[float, ...]) -> None:
    assert _axis(low, high, logarithmic=True).ticks(5) == pytest.approx(expected)


@given(LENGTHS, LENGTHS, st.booleans(), st.integers(2, 9))
def test_ticks_rise_inside_the_axis_and_are_not_too_many(low: float, span: float, logarithmic: bool, most: int) -> None:
    assume(low + span > low * (1 + 1e-6))
    axis = _axis(low, low + span, logarithmic=logarithmic)
    ticks = axis.ticks(most)
    assert len(ticks) <= most
    assert all(left < right for left, right in pairwise(ticks))
    room = 1e-6 * (axis.low if logarithmic else span)
    assert all(axis.low - room <= tick <= axis.high * (1 + 1e-6) for tick in ticks)


@given(LENGTHS, LENGTHS, st.booleans())
def test_labels_side_by_side_never_touch(low: float, span: float, logarithmic: bool) -> None:
    assume(low + span > low * (1 + 1e-6))
    axis = _axis(low, low + span, logarithmic=logarithmic)
    labels = axis.labelled_ticks(7, across=True)
    for (one, text), (other, next_text) in pairwise(labels):
        assert axis.at(other) - axis.at(one) >= (text_width(text) + text_width(next_text)) / 2
    assert len({text for _, text in labels}) == len(labels)


@given(st.floats(0.1, 100), st.floats(0.1, 100))
def test_places_are_in_the_order_of_values(one: float, other: float) -> None:
    assume(one != other)
    for logarithmic in (False, True):
        axis = _axis(0.1, 100, logarithmic=logarithmic)
        assert (axis.at(one) <= axis.at(other)) == (one < other) or axis.at(one) == axis.at(other)
        assert 40 <= axis.at(one) <= 340 + 1e-9


def test_the_ends_lie_at_the_ends_and_what_is_beyond_too() -> None:
    for logarithmic in (False, True):
        axis = _axis(1, 100, logarithmic=logarithmic)
        assert [axis.at(value) for value in (0.5, 1, 100, 1000)] == pytest.approx([40, 40, 340, 340])
    assert _axis(1, 100, logarithmic=True).at(10) == pytest.approx(190)


@pytest.mark.parametrize(("low", "high"), [(1, 1), (2, 1), (float("nan"), 1), (0, float("inf"))])
def test_an_empty_axis_is_refused(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="finite low < high"):
        _axis(low, high)


def test_a_logarithmic_axis_does_not_reach_zero() -> None:
    with pytest.raises(ValueError, match="low > 0"):
        _axis(0, 1, logarithmic=True)


@pytest.mark.parametrize(
    ("ticks", "expected"),
    [
        ((0, 2.5, 5), ("0.0", "2.5", "5.0")),
        ((7.2, 7.25, 7.3), ("7.20", "7.25", "7.30")),
        ((0, 5, 10), ("0", "5", "10")),
        ((300e6, 1e9, 100e9), ("300 M", "1 G", "100 G")),
        ((0.01, 1, 100), ("0.01", "1", "100")),
        ((9975, 9980, 10000), ("9.975 k", "9.980 k", "10.000 k")),
        ((0, 5000, 10000), ("0 k", "5 k", "10 k")),
    ],
)
def test_tick_texts_have_the_decimals_they_need(ticks: tuple[float, ...], expected: tuple[str, ...]) -> None:
    assert tick_texts(ticks) == expected


@pytest.mark.parametrize(
    ("value", "text"), [(999.9, "1 k"), (12345, "12.3 k"), (2e12, "2 T"), (0.5, "0.5"), (1e6, "1 M")]
)
def test_short_numbers(value: float, text: str) -> None:
    assert short_number(value) == text


@pytest.mark.parametrize("logarithmic", [False, True])
def test_room_is_left_around_values_even_around_one(logarithmic: bool) -> None:
    for values in ([3.0], [3.0, 5.0]):
        low, high = padded(values, logarithmic=logarithmic)
        assert 0 < low < min(values) <= max(values) < high
    assert padded([0.0]) == (-1.0, 1.0)
