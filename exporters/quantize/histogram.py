"""What one value was over many images, in a few kilobytes: exact extremes, and counts in bins that widen as needed."""

from __future__ import annotations

import math
import sys

import numpy as np

BINS = 8192
"""Over [-reach, reach]: of a value of one sign that just fills half of it, 16 bins for each of 256 levels."""
MOST_BINNED = 50_000
"""Elements binned of one array; of a larger one every k-th. Extremes and unsound elements are those of all."""
SMALLEST_EXPONENT = -100
"""Numbers below 2**-100 are binned as if they were around it: the width of a bin stays an ordinary float32."""


class Histogram:
    """All that calibration keeps of a value. Arrays may come in any number and size; none of them is kept.

    The bins lie over [-reach, reach), reach a power of two that doubles, joining pairs of bins, when a number
    lies beyond. Exact zeros are counted apart: behind a ReLU they are the half of everything, and no grid rounds them.
    """

    def __init__(self) -> None:
        self.count = 0
        """Elements seen."""
        self.low = math.inf
        """The smallest finite element seen."""
        self.high = -math.inf
        self.nan_count = 0
        self.infinity_count = 0
        self.arrays = 0
        self.unsound_arrays = 0
        """Arrays with NaN or infinity in them."""
        self.zeros = 0
        """Exact zeros among the elements that were binned."""
        self._counts: dict[int, np.ndarray] = {}
        """The other elements that were binned, apart by the power of two of their array's mean square."""
        self._arrays: dict[int, int] = {}
        """How many arrays lie behind each of those."""
        self._exponent: int | None = None

    @property
    def reach(self) -> float:
        """The bins end at this magnitude; 0 as long as nothing but zeros came."""
        return 0.0 if self._exponent is None else math.ldexp(1.0, self._exponent)

    @property
    def bin_width(self) -> float:
        return 2 * self.reach / BINS

    @property
    def edges(self) -> np.ndarray:
        """The ends of all bins, (BINS + 1,)."""
        return np.arange(-BINS // 2, BINS // 2 + 1) * self.bin_width

    @property
    def counts(self) -> np.ndarray:
        """The elements that were binned and are not zero, (BINS,), int64."""
        return sum(self._counts.values(), np.zeros(BINS, np.int64))

    @property
    def fair_counts(self) -> np.ndarray:
        """The same in float64, an array of 2**k times the median array's mean square counted 2**-k times.

        Squared errors of all arrays then weigh alike, as far as they are not smaller than usual.
        """
        median = self._median_power()
        counts = np.zeros(BINS)
        for power, own in self._counts.items():
            counts += own * math.ldexp(1.0, min(median - power, 0))
        return counts

    @property
    def binned(self) -> int:
        """The number of elements behind `zeros` and `counts`."""
        return self.zeros + int(self.counts.sum())

    @property
    def is_empty(self) -> bool:
        """Whether no finite element was seen."""
        return self.low > self.high

    def add(self, array: np.ndarray) -> None:
        """The elements of a float array of any shape are counted in."""
        flat = array.reshape(-1)
        offset = self.arrays
        self.arrays += 1
        self.count += flat.size
        if flat.size == 0:
            return
        low, high = float(flat.min()), float(flat.max())
        if not (math.isfinite(low) and math.isfinite(high)):
            flat = self._finite_only(flat)
            if flat.size == 0:
                return
            low, high = float(flat.min()), float(flat.max())
        self.low, self.high = min(self.low, low), max(self.high, high)
        self._widen(max(-low, high))
        self._bin(_thinned(flat, offset))

    def merge(self, other: Histogram) -> None:
        """What the other saw is counted in, as if it had been added here. The other stays as it is."""
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        for name in ("count", "nan_count", "infinity_count", "arrays", "unsound_arrays", "zeros"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        if other._exponent is None:
            return
        if self._exponent is None:
            self._exponent = other._exponent
        self._reach_exponent(other._exponent)
        for power, counts in other._counts.items():
            for _ in range(self._exponent - other._exponent):
                counts = _joined_pairs(counts)
            self._count(power, counts, other._arrays[power])

    def _finite_only(self, flat: np.ndarray) -> np.ndarray:
        nan = int(np.isnan(flat).sum())
        finite: np.ndarray = flat[np.isfinite(flat)]
        self.nan_count += nan
        self.infinity_count += flat.size - finite.size - nan
        self.unsound_arrays += 1
        return finite

    def _widen(self, largest: float) -> None:
        if largest == 0:
            return
        # frexp: largest = fraction * 2**exponent with a fraction below 1, so 2**exponent lies above.
        exponent = max(math.frexp(largest)[1], SMALLEST_EXPONENT)
        if self._exponent is None:
            self._exponent = exponent
        self._reach_exponent(exponent)

    def _reach_exponent(self, exponent: int) -> None:
        assert self._exponent is not None
        while self._exponent < exponent:
            self._counts = {power: _joined_pairs(counts) for power, counts in self._counts.items()}
            self._exponent += 1

    def _bin(self, flat: np.ndarray) -> None:
        zeros = flat.size - int(np.count_nonzero(flat))
        self.zeros += zeros
        if self._exponent is None or zeros == flat.size:
            return
        # A power of two scales without rounding: the bin of a number does not depend on when it came.
        scaled = np.multiply(flat, math.ldexp(1.0, -self._exponent) * (BINS // 2), dtype=_float_type(flat))
        places = np.floor(scaled).astype(np.intp)
        places += BINS // 2
        counts = np.bincount(places, minlength=BINS)
        counts[BINS // 2] -= zeros
        self._count(_power(flat), counts, 1)

    def _count(self, power: int, counts: np.ndarray, arrays: int) -> None:
        self._counts[power] = self._counts[power] + counts if power in self._counts else counts
        self._arrays[power] = self._arrays.get(power, 0) + arrays

    def _median_power(self) -> int:
        """Of the arrays that are not zero throughout, the lower one of two; 0 without any."""
        half, seen = sum(self._arrays.values()) / 2, 0
        for power in sorted(self._arrays):
            seen += self._arrays[power]
            if seen >= half:
                return power
        return 0


def _thinned(flat: np.ndarray, offset: int) -> np.ndarray:
    """At most MOST_BINNED elements at a fixed distance that shares no factor with any axis, another set each time."""
    if flat.size <= MOST_BINNED:
        return flat
    step = -(-flat.size // MOST_BINNED)
    while math.gcd(step, flat.size) != 1:
        step += 1
    return flat[offset % step :: step]


def _power(flat: np.ndarray) -> int:
    """The power of two next above the mean square."""
    with np.errstate(over="ignore"):
        mean = float(np.mean(np.square(flat, dtype=np.float64)))
    # The ends of float64, whose squares it does not hold, count as the nearest that it does.
    return math.frexp(min(max(mean, sys.float_info.min), sys.float_info.max))[1]


def _joined_pairs(counts: np.ndarray) -> np.ndarray:
    """The same counts over twice the reach."""
    wide = np.zeros_like(counts)
    wide[BINS // 4 : -BINS // 4] = counts.reshape(-1, 2).sum(axis=1)
    return wide


def _float_type(flat: np.ndarray) -> np.dtype[np.floating]:
    return np.dtype(np.float64 if flat.dtype == np.float64 else np.float32)
