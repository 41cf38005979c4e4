"""Large depthwise kernels as sums of smaller ones: which rows and columns of the kernel each band has.

XNNPACK has depthwise microkernels of 3, 4, 9 and 25 taps. A band runs in the smallest that holds it, zeros included; a
kernel of more taps becomes a slow grouped product. Convolution is linear in its kernel: the sum is exact.
"""

from __future__ import annotations

from collections.abc import Iterable

MICROKERNEL_TAPS = (3, 4, 9, 25)
MOST_TAPS = MICROKERNEL_TAPS[-1]

Band = tuple[range, range]
"""Rows and columns of a kernel."""


def bands_of(kernel: tuple[int, int]) -> tuple[Band, ...]:
    """The bands of a kernel of at most MOST_TAPS columns, each of at most MOST_TAPS taps.

    Three ways to cut are compared by the taps that microkernels run for them, then by the number of bands: every n-th
    column of all rows but the last, and the last row; every second row of every second column; rows. Where they are
    equal the first is taken, most of whose bands see all of the padded image, so that nothing is cut out of it. 9x9 is
    three bands of 8x3 and a row, 84 taps where rows run 109; 7x7 two bands and a row, 59 taps.
    """
    rows: tuple[Band, ...] = tuple((row, range(kernel[1])) for row in rows_of_bands(kernel))
    ways = (_columns_and_row(kernel), _halves(kernel), rows)
    fitting = [way for way in ways if way and len(way) <= len(rows) and all(_taps(band) <= MOST_TAPS for band in way)]
    return min(fitting, key=lambda way: (taps_run(way), len(way)))


def taps_run(bands: Iterable[Band]) -> int:
    """How many taps microkernels run for bands of at most MOST_TAPS taps."""
    return sum(next(taps for taps in MICROKERNEL_TAPS if taps >= _taps(band)) for band in bands)


def _taps(band: Band) -> int:
    return len(band[0]) * len(band[1])


def _halves(kernel: tuple[int, int]) -> tuple[Band, ...]:
    rows, columns = ((range(0, length, 2), range(1, length, 2)) for length in kernel)
    return tuple((row, column) for row in rows for column in columns if row and column)


def _columns_and_row(kernel: tuple[int, int]) -> tuple[Band, ...]:
    height, width = kernel
    each = MOST_TAPS // max(height - 1, 1)
    if height == 1 or each == 0:
        return ()
    step = -(-width // each)
    columns = tuple((range(height - 1), range(first, width, step)) for first in range(step))
    return (*columns, (range(height - 1, height), range(width)))


def rows_of_bands(kernel: tuple[int, int]) -> tuple[range, ...]:
    """The rows of the kernel that each band has, at most MOST_TAPS taps.

    Where two rows fit, a band is a row and its mirror image: both see all of the padded image, so that nothing is cut
    out of it. Measured on 9x9 and 11x11: 0.90 to 0.95 of the time that neighbouring rows take.
    """
    height, width = kernel
    step = max(1, MOST_TAPS // width)
    if step != 2 or height % 2 == 0:
        return tuple(range(first, min(first + step, height)) for first in range(0, height, step))
    middle = height // 2
    pairs = tuple(range(row, height - row, height - 1 - 2 * row) for row in range(middle))
    return (*pairs, range(middle, middle + 1))
