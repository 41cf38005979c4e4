"""How figures are written: units in the heads of columns, digits by size, and words where there is no figure."""

from __future__ import annotations

import math

from condmix.deploy.sizes import file_size

NOT_READ = "not readable"
TOO_FEW = "n too small"


def milliseconds(nanoseconds: float) -> str:
    """In ms, four digits that count: 0.1234, 1.234, 12.34, 123.4, 1234."""
    ms = nanoseconds / 1e6
    decimals = next((places for limit, places in ((1, 4), (10, 3), (100, 2), (1000, 1)) if abs(ms) < limit), 0)
    return f"{ms:.{decimals}f}"


def microseconds(time_us: float) -> str:
    """In µs: one decimal below 100, none above."""
    return f"{time_us:.1f}" if time_us < 100 else f"{time_us:,.0f}"


def percentile(nanoseconds: float | None) -> str:
    """In ms, or that the count does not support it."""
    return TOO_FEW if nanoseconds is None else milliseconds(nanoseconds)


def interval(low_ns: float | None, high_ns: float | None) -> str:
    """Both ends in ms, or that there are too few rounds."""
    if low_ns is None or high_ns is None:
        return "too few rounds"
    return f"{milliseconds(low_ns)} to {milliseconds(high_ns)}"


def memory(size_bytes: int | None) -> str:
    """With its unit, or that it could not be read."""
    if size_bytes is None:
        return NOT_READ
    return file_size(size_bytes) if size_bytes < 1_000_000_000 else f"{size_bytes / 1e9:.2f} GB"


def difference(value: float) -> str:
    """A largest difference: two or three digits."""
    if not math.isfinite(value):
        return "not finite"
    return f"{value:.1e}" if value and abs(value) < 0.01 else f"{value:.3g}"


def share(value: float) -> str:
    """In percent with one decimal, never rounded to all or nothing when it is neither."""
    if 0 < value < 0.0005:
        return "< 0.1 %"
    if 0.9995 < value < 1:
        return "> 99.9 %"
    return f"{100 * value:.1f} %"


def count(value: float | None) -> str:
    """With separators between thousands; empty where it is not known."""
    return "" if value is None else f"{value:,.0f}"


def plural(number: int, word: str) -> str:
    """1 run, 2 runs."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"
