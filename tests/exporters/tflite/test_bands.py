"""Bands have every tap once, as few of them as rows would be, and run as few taps as any way to cut that is known."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.tflite.bands import MOST_TAPS, bands_of, rows_of_bands, taps_run


@given(kernel=st.tuples(st.integers(1, 30), st.integers(1, 25)))
def test_bands_have_every_tap_once_and_few_of_them(kernel: tuple[int, int]) -> None:
    bands = bands_of(kernel)
    every = [(row, column) for rows, columns in bands for row in rows for column in columns]
    assert sorted(every) == [(row, column) for row in range(kernel[0]) for column in range(kernel[1])]
    assert all(len(rows) * len(columns) <= MOST_TAPS for rows, columns in bands)
    assert len(bands) <= len(rows_of_bands(kernel))
    assert taps_run(bands) <= taps_run((rows, range(kernel[1])) for rows in rows_of_bands(kernel))


def test_every_third_column_of_eight_rows_and_a_row() -> None:
    rows = range(8)
    thirds = (range(0, 9, 3), range(1, 9, 3), range(2, 9, 3))
    assert bands_of((9, 9)) == (*((rows, third) for third in thirds), (range(8, 9), range(9)))
    assert taps_run(bands_of((9, 9))) == 3 * 25 + 9


def test_every_second_column_of_six_rows_and_a_row() -> None:
    assert bands_of((7, 7)) == ((range(6), range(0, 7, 2)), (range(6), range(1, 7, 2)), (range(6, 7), range(7)))


def test_every_second_row_of_every_second_column() -> None:
    even, odd = range(0, 10, 2), range(1, 10, 2)
    assert bands_of((10, 10)) == ((even, even), (even, odd), (odd, even), (odd, odd))


def test_kernels_that_others_cut_no_better_are_cut_in_rows() -> None:
    assert bands_of((5, 5)) == ((range(5), range(5)),)
    assert bands_of((8, 8)) == tuple((rows, range(8)) for rows in (range(3), range(3, 6), range(6, 8)))
    assert [len(bands_of((size, size))) for size in (5, 7, 8, 10, 11)] == [1, 3, 3, 4, 6]


def test_rows_and_their_mirror_images() -> None:
    assert rows_of_bands((7, 7)) == (range(3), range(3, 6), range(6, 7))
    assert [list(rows) for rows in rows_of_bands((9, 9))] == [[0, 8], [1, 7], [2, 6], [3, 5], [4]]
