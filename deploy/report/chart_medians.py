"""Medians side by side: one line a subject with its median, the interval, and p90 where the count supports it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from condmix.deploy.report.axis import Axis
from condmix.deploy.report.numbers import milliseconds
from condmix.deploy.report.series import letter, marker
from condmix.deploy.report.svg import TEXT_SIZE, WIDTH, line, picture, rectangle, shortened, words

ROW = 40.0
LEFT = 8.0
RIGHT = 18.0


@dataclass(frozen=True, kw_only=True)
class MedianRow:
    """One subject: its median in ms, the ends of its interval and p90, None where the runs do not support them."""

    index: int
    name: str
    median_ms: float
    low_ms: float | None
    high_ms: float | None
    p90_ms: float | None


def medians_chart(rows: Sequence[MedianRow], *, identity: str, title: str) -> Markup:
    """The picture of one row or more; the axis begins at 0, so that lengths can be compared."""
    longest = max(max(row.median_ms, row.high_ms or 0.0, row.p90_ms or 0.0) for row in rows)
    bottom = ROW * len(rows) + 6
    axis = Axis(low=0.0, high=longest * 1.04 or 1.0, start=LEFT, end=WIDTH - RIGHT)
    parts = []
    for value, text in axis.labelled_ticks(6, across=True):
        parts.append(line(axis.at(value), 4, axis.at(value), bottom, "grid"))
        anchor = "start" if value == 0 else "middle"
        x = axis.at(value) - (LEFT - 2 if value == 0 else 0)
        parts.append(words(x, bottom + TEXT_SIZE + 2, text, anchor=anchor, classes="tick"))
    parts.append(words(WIDTH - RIGHT, bottom + 2 * TEXT_SIZE + 8, "latency, ms", anchor="end", classes="axis-title"))
    for place, row in enumerate(rows):
        parts += _row(axis, row, top=place * ROW + 4)
    return picture(
        *parts,
        height=bottom + 2 * TEXT_SIZE + 14,
        identity=identity,
        title=title,
        description="; ".join(f"{letter(row.index)} {row.name}: {row.median_ms:.4g} ms" for row in rows),
    )


def _row(axis: Axis, row: MedianRow, *, top: float) -> list[Markup]:
    value = f"{milliseconds(row.median_ms * 1e6)} ms"
    name = shortened(f"{letter(row.index)}  {row.name}", WIDTH - 90)
    y = top + TEXT_SIZE + 14
    middle = axis.at(row.median_ms)
    parts = [
        words(LEFT, top + TEXT_SIZE, name, classes="label"),
        words(WIDTH - RIGHT, top + TEXT_SIZE, value, anchor="end", classes="label value"),
        line(axis.start, y, middle, y, "stem"),
    ]
    if row.p90_ms is not None:
        parts += [line(middle, y, axis.at(row.p90_ms), y, "to-p90"), _tick(axis.at(row.p90_ms), y, "p90")]
    if row.low_ms is not None and row.high_ms is not None:
        left, right = axis.at(row.low_ms), axis.at(row.high_ms)
        parts.append(rectangle(left, y - 6, max(right - left, 1.0), 12, "interval"))
    parts.append(marker(row.index, middle, y))
    return parts


def _tick(x: float, y: float, classes: str) -> Markup:
    return line(x, y - 5, x, y + 5, classes)
