"""From what a value was to the range that is kept of it, in one of four ways.

- minmax: everything that was seen.
- percentile: at either end that share of all elements is cut off at most.
- entropy: the clipped and rounded distribution tells least apart from the true one (Kullback-Leibler divergence, as
  in Migacz, 8-bit inference with TensorRT, 2017, here with both ends free).
- mse: the least expected squared error of rounding and clipping on the asymmetric grid of 8 bits. Rounding is off by
  step**2 / 12 in the mean (Widrow and Kollar, Quantization Noise, 2008); what is clipped, by its distance to the end.
  An image on which the value is larger than on the median one counts by so much less: where a network amplifies, a
  single image would otherwise choose the range, and leave all others a few steps of it.
"""

from __future__ import annotations

import numpy as np

from condmix.exporters.errors import CalibrationError
from condmix.exporters.quantize.bounds import FREE, Bound
from condmix.exporters.quantize.histogram import Histogram
from condmix.exporters.quantize.parameters import INT8
from condmix.exporters.quantize.ranges import Range

METHODS = ("minmax", "percentile", "entropy", "mse")
DEFAULT_METHOD = "mse"
DEFAULT_PERCENTILE = 99.99
LEAST_PERCENTILE = 50.0
SHRINK_FACTORS = np.linspace(1.0, 0.02, 99)
"""Of either end, tried with each of the other; an end of 0 stays."""
ENTROPY_FACTORS = np.linspace(1.0, 0.2, 33)
ENTROPY_ROUNDS = 3
FEWEST_BINS = 2 * INT8.steps
"""Of fewer bins a grid of 8 bits loses too little to be told apart."""


def check_method(method: str, percentile: float) -> None:
    """Both can be used. Raises CalibrationError naming all that cannot."""
    problems = []
    if method not in METHODS:
        problems.append(f"the method is '{method}': expected one of {', '.join(METHODS)}")
    if not LEAST_PERCENTILE < percentile <= 100:
        problems.append(f"the percentile is {percentile:g}: expected above {LEAST_PERCENTILE:g}, at most 100")
    if problems:
        raise CalibrationError("; ".join(problems))


def select(
    histogram: Histogram,
    method: str = DEFAULT_METHOD,
    *,
    percentile: float = DEFAULT_PERCENTILE,
    bound: Bound = FREE,
) -> Range:
    """The range to keep of a value; never beyond what was seen, but for an exact bound, which is the range itself.

    percentile: for that method: at least this share (in percent) lies below the upper end, and above the lower one.
    Raises CalibrationError for an unknown method, and where no finite number was seen.
    """
    check_method(method, percentile)
    if bound.exact:
        return Range.around(bound.low, bound.high)
    if histogram.is_empty:
        message = "no range can be selected: not one finite number was seen"
        raise CalibrationError(message)
    seen = Range.around(histogram.low, histogram.high)
    if method == "minmax" or seen.largest == 0:
        return seen
    # An end at which the operator itself clips holds a heap of numbers, all of them exact.
    fixed_low, fixed_high = histogram.low <= bound.low, histogram.high >= bound.high
    if method == "percentile":
        low, high = _percentile(histogram, seen, percentile)
        chosen = Range(low=seen.low if fixed_low else low, high=seen.high if fixed_high else high)
    else:
        search = _entropy if method == "entropy" else _mse
        chosen = search(histogram, seen, fixed_low, fixed_high)
    return chosen


def _percentile(histogram: Histogram, seen: Range, percentile: float) -> tuple[float, float]:
    most_outside = histogram.binned * (1 - percentile / 100)
    counts = histogram.counts.astype(np.float64)
    counts[len(counts) // 2] += histogram.zeros
    below = np.concatenate(([0.0], np.cumsum(counts)))
    above = np.concatenate((np.cumsum(counts[::-1])[::-1], [0.0]))
    edges = histogram.edges
    low = float(edges[np.flatnonzero(below <= most_outside)[-1]])
    high = float(edges[np.flatnonzero(above <= most_outside)[0]])
    return min(max(low, seen.low), 0.0), max(min(high, seen.high), 0.0)


def _mse(histogram: Histogram, seen: Range, fixed_low: bool, fixed_high: bool) -> Range:
    lows = seen.low * (SHRINK_FACTORS[:1] if fixed_low or seen.low == 0 else SHRINK_FACTORS)
    highs = seen.high * (SHRINK_FACTORS[:1] if fixed_high or seen.high == 0 else SHRINK_FACTORS)
    edges = histogram.edges
    centres = (edges[:-1] + edges[1:]) / 2
    counts = histogram.fair_counts
    moments = [np.concatenate(([0.0], np.cumsum(counts * centres**power))) for power in range(3)]

    def clipped(ends: np.ndarray, *, above: bool) -> tuple[np.ndarray, np.ndarray]:
        """The number of elements beyond each end, and the sum of their squared distances to it."""
        places = np.searchsorted(centres, ends)
        count, total, squares = (moment[-1] - moment[places] if above else moment[places] for moment in moments)
        return count, np.maximum(squares - 2 * ends * total + ends**2 * count, 0.0)

    below, below_error = clipped(lows, above=False)
    above, above_error = clipped(highs, above=True)
    steps = (highs[None, :] - lows[:, None]) / INT8.steps
    rounded = moments[0][-1] - below[:, None] - above[None, :]
    errors = below_error[:, None] + above_error[None, :] + rounded * steps**2 / 12
    # Of equals the first: the widest.
    row, column = np.unravel_index(int(errors.argmin()), errors.shape)
    return Range(low=float(lows[row]), high=float(highs[column]))


def _entropy(histogram: Histogram, seen: Range, fixed_low: bool, fixed_high: bool) -> Range:
    """Both ends by turns, until neither moves: each divergence costs a pass over the bins."""
    counts, width = histogram.counts, histogram.bin_width
    low, high = seen.low, seen.high
    for _ in range(ENTROPY_ROUNDS):
        before = low, high
        if not (fixed_low or seen.low == 0):
            lows = seen.low * ENTROPY_FACTORS
            low = float(lows[np.argmin([_divergence(counts, width, end, high) for end in lows])])
        if not (fixed_high or seen.high == 0):
            highs = seen.high * ENTROPY_FACTORS
            high = float(highs[np.argmin([_divergence(counts, width, low, end) for end in highs])])
        if (low, high) == before:
            break
    return Range(low=low, high=high)


def _divergence(counts: np.ndarray, width: float, low: float, high: float) -> float:
    """Of the distribution with its tails heaped on the ends, from the same rounded to the grid."""
    middle = len(counts) // 2
    first = middle + int(np.floor(low / width))
    last = min(middle + int(np.ceil(high / width)), len(counts))
    if last - first < FEWEST_BINS:
        return np.inf
    inside = counts[first:last].astype(np.float64)
    if not inside.any():
        return np.inf
    heaped = inside.copy()
    heaped[0] += counts[:first].sum()
    heaped[-1] += counts[last:].sum()
    levels = np.arange(last - first) * INT8.steps // (last - first)
    filled = heaped > 0
    shares = np.bincount(levels, weights=inside) / np.maximum(np.bincount(levels, weights=filled), 1)
    rounded = np.where(filled, shares[levels], 0.0)
    true, guess = heaped[filled] / heaped.sum(), rounded[filled] / rounded.sum()
    # A heap where no number was before: any grid loses it, by more than any other difference.
    return float(np.sum(true * np.log(true / np.maximum(guess, 1e-12))))
