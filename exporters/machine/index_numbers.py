"""Weights that tell where they went: every element is a number of its own, exact in float32.

Each weight has a range of numbers to itself, so that a stored tensor is known by what is in it, whatever it is called
by then, and so that any arithmetic on the numbers shows: a scaled or summed range is no range of ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

LARGEST_EXACT = 2**24
"""Integers up to here are exact in float32."""


@dataclass(frozen=True, kw_only=True)
class NumberRange:
    """The numbers of one weight: first to first + count - 1, all of them with the same sign."""

    sign: int
    first: int
    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        """Of elements."""
        return int(np.prod(self.shape))

    def weight(self) -> np.ndarray:
        """The numbers in row-major order, float32."""
        numbers = self.sign * np.arange(self.first, self.first + self.count, dtype=np.float32)
        return numbers.reshape(self.shape)


@dataclass(kw_only=True)
class Numbering:
    """Gives out ranges that do not overlap: positive numbers first, then negative ones."""

    limit: int = LARGEST_EXACT
    _next: dict[int, int] = field(default_factory=lambda: {1: 1, -1: 1})

    def take(self, shape: tuple[int, ...]) -> NumberRange | None:
        """A fresh range for a weight of that shape; None when no exact numbers are left for so many elements."""
        count = int(np.prod(shape))
        for sign, first in self._next.items():
            if first + count - 1 <= self.limit:
                self._next[sign] = first + count
                return NumberRange(sign=sign, first=first, shape=shape)
        return None


@dataclass(frozen=True, kw_only=True, eq=False)
class StorageMap:
    """What became of a weight. source: for each stored position the row-major index it holds, -1 for padding."""

    name: str
    shape: tuple[int, ...]
    source: np.ndarray

    def arrange(self, rows: np.ndarray, padding: float = 0.0) -> np.ndarray:
        """Rows of elements (count, elements) in the stored order (count, positions); padding where nothing is held."""
        arranged = rows[..., np.maximum(self.source, 0)]
        arranged[..., self.source < 0] = padding
        return np.ascontiguousarray(arranged)

    @property
    def padding(self) -> int:
        """Positions that hold nothing."""
        return int(np.count_nonzero(self.source < 0))


def read_maps(ranges: Iterable[NumberRange], stored: Iterable[tuple[str, np.ndarray]]) -> dict[NumberRange, StorageMap]:
    """range -> where its weight is stored, of every range that was only rearranged and padded with zeros.

    stored: (name, float32 array) of all constants. A range that is missing in the answer was changed, split, merged
    with something, or stored twice.
    """
    by_start: dict[tuple[int, int], list[NumberRange]] = {}
    for one in ranges:
        by_start.setdefault((one.sign, one.first), []).append(one)
    found: dict[NumberRange, list[StorageMap]] = {}
    for name, array in stored:
        numbers = array[array != 0]
        if not numbers.size or not np.isfinite(numbers).all():
            continue
        sign = 1 if numbers[0] > 0 else -1
        magnitudes = sign * numbers
        first = magnitudes.min()
        for one in by_start.get((sign, int(first)), []):
            if np.array_equal(np.sort(magnitudes), np.arange(one.first, one.first + one.count, dtype=np.float32)):
                flat = sign * array.reshape(-1)
                source = np.where(flat == 0, -1, flat.astype(np.int64) - one.first)
                found.setdefault(one, []).append(StorageMap(name=name, shape=array.shape, source=source))
    return {one: maps[0] for one, maps in found.items() if len(maps) == 1}
