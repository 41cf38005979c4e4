"""Figures in words, so that every output says them in the same way."""

from __future__ import annotations

from condmix.deploy.measure.gate_expression import METRICS
from condmix.deploy.sizes import file_size

NS_PER_MS = 1e6
MISSING = "–"  # noqa: RUF001 - the dash of an empty cell


def milliseconds(ns: float | None) -> str:
    """Three or more significant figures in ms, or a dash."""
    if ns is None:
        return MISSING
    value = ns / NS_PER_MS
    decimals = 1 if value >= 100 else 2 if value >= 10 else 3 if value >= 0.1 else 4
    return f"{value:.{decimals}f}"


def span_ms(low_ns: float | None, high_ns: float | None) -> str:
    """An interval in ms, in brackets; empty where there is none."""
    if low_ns is None or high_ns is None:
        return ""
    return f"({milliseconds(low_ns)} to {milliseconds(high_ns)})"


def memory(size_bytes: float | None) -> str:
    """In decimal units, or a dash."""
    return MISSING if size_bytes is None else file_size(int(size_bytes))


def quantity(metric: str, value: float) -> str:
    """The value of a metric with its unit."""
    units = METRICS[metric].units
    if "ms" in units:
        return f"{milliseconds(value)} ms"
    if "B" in units:
        return memory(value)
    if metric in ("agreement", "noise_floor"):
        return f"{100 * value:.1f} %"
    if metric == "sqnr":
        return f"{value:.1f} dB"
    return f"{value:.3f}" if metric == "ratio" else f"{value:.2e}"
