"""Axes: where a value lies, and the round numbers that are written beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from condmix.deploy.report.svg import text_width

SPACE_BETWEEN = 10.0
_ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)
_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True, kw_only=True)
class Axis:
    """Values from `low` to `high` lie between the coordinates `start` and `end`, evenly or by their logarithm."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            message = f"an axis needs finite low < high, found {self.low} and {self.high}"
            raise ValueError(message)
        if self.logarithmic and self.low <= 0:
            message = f"a logarithmic axis needs low > 0, found {self.low}"
            raise ValueError(message)

    def at(self, value: float) -> float:
        """The coordinate of a value; one beyond the ends lies at the end."""
        value = min(max(value, self.low), self.high)
        if self.logarithmic:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, most: int) -> tuple[float, ...]:
        """At most `most` round values within the axis, at least two wherever round values allow."""
        if self.logarithmic and self.high / self.low >= 3:
            found = _logarithmic_ticks(self.low, self.high, most)
            if len(found) >= 2:
                return found
        return _linear_ticks(self.low, self.high, most)

    def labelled_ticks(self, most: int, *, across: bool) -> tuple[tuple[float, str], ...]:
        """(value, text) of as many ticks as have room; `across`: texts stand side by side, else below each other."""
        for count in range(most, 1, -1):
            ticks = self.ticks(count)
            texts = tick_texts(ticks)
            if not across or _have_room([self.at(tick) for tick in ticks], texts):
                return tuple(zip(ticks, texts, strict=True))
        ticks = self.ticks(2)[:1]
        return tuple(zip(ticks, tick_texts(ticks), strict=True))


def padded(values: Sequence[float], *, logarithmic: bool = False, share: float = 0.05) -> tuple[float, float]:
    """(low, high), never equal, that hold all values with room on both sides. Raises ValueError without a value."""
    low, high = min(values), max(values)
    if logarithmic:
        factor = (high / low) ** share if high > low else 1.5
        return low / factor, high * factor
    room = (high - low) * share if high > low else abs(high) * 0.1 or 1.0
    return low - room, high + room


def tick_texts(ticks: Sequence[float]) -> tuple[str, ...]:
    """The ticks with as many decimals as tell them apart; thousands and more with k, M, G, T."""
    largest = max((abs(tick) for tick in ticks), default=0.0)
    smallest = min((abs(tick) for tick in ticks if tick), default=0.0)
    if smallest and largest / smallest >= 100:
        return tuple(short_number(tick) for tick in ticks)
    factor, prefix = next((one for one in _PREFIXES if largest >= max(one[0], 10_000)), (1.0, ""))
    step = min((b - a for a, b in pairwise(ticks)), default=largest or 1.0) / factor
    decimals = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
    if not math.isclose(round(step, decimals), step, rel_tol=1e-6):
        decimals += 1
    return tuple(f"{tick / factor:.{decimals}f} {prefix}".rstrip() for tick in ticks)


def short_number(value: float) -> str:
    """1.2 k, 34 M: three digits at most."""
    for factor, prefix in _PREFIXES:
        if abs(value) >= factor * 0.9995:
            return f"{value / factor:.3g} {prefix}"
    return f"{value:.3g}"


def _linear_ticks(low: float, high: float, most: int) -> tuple[float, ...]:
    for step in _steps((high - low) / max(most, 1)):
        first = math.ceil(low / step - 1e-9)
        last = math.floor(high / step + 1e-9)
        if last - first + 1 <= most:
            return tuple(whole * step for whole in range(first, last + 1))
    return ()


def _steps(least: float) -> tuple[float, ...]:
    """Round steps from about `least` upwards."""
    power = math.floor(math.log10(least)) if least > 0 else 0
    return tuple(digit * 10.0 ** (power + more) for more in range(3) for digit in _ROUND[:-1])


def _logarithmic_ticks(low: float, high: float, most: int) -> tuple[float, ...]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for digits in ((1.0, 2.0, 5.0), (1.0, 3.0), (1.0,)):
        ticks = [digit * 10.0**power for power in range(first, last + 1) for digit in digits]
        inside = tuple(tick for tick in ticks if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9))
        if len(inside) <= most:
            return inside
    stride = math.ceil(len(inside) / most)
    return inside[::stride]


def _have_room(places: Sequence[float], texts: Sequence[str]) -> bool:
    widths = [text_width(text) for text in texts]
    return all(
        abs(right - left) >= (one + other) / 2 + SPACE_BETWEEN
        for left, right, one, other in zip(places, places[1:], widths, widths[1:], strict=False)
    )
