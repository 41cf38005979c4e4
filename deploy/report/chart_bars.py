"""Bars from one zero: a name, a length, and the figure in words above each bar, so that long names have room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from condmix.deploy.report.svg import (
    CHARACTER_WIDTH,
    TEXT_SIZE,
    WIDTH,
    element,
    group,
    picture,
    rectangle,
    shortened,
    tooltip,
    words,
)

ROW = 30.0
BAR = 9.0
LEFT = 2.0


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One bar; `fill` is a class of the style sheet: plain, compute, memory, unbound or special."""

    label: str
    value: float
    text: str
    fill: str = "plain"


def bar_chart(bars: Sequence[Bar], *, identity: str, title: str) -> Markup:
    """The picture of one bar or more with values of at least 0, the longest as wide as the picture."""
    longest = max(bar.value for bar in bars) or 1.0
    room = WIDTH - 2 * LEFT
    parts = []
    for place, bar in enumerate(bars):
        top = place * ROW
        label = shortened(bar.label, room - (len(bar.text) + 2) * CHARACTER_WIDTH)
        parts.append(
            group(
                tooltip(f"{bar.label}: {bar.text}"),
                words(LEFT, top + TEXT_SIZE, label, classes="label"),
                words(WIDTH - LEFT, top + TEXT_SIZE, bar.text, anchor="end", classes="label value"),
                rectangle(LEFT, top + TEXT_SIZE + 4, room, BAR, "bar-ground"),
                rectangle(LEFT, top + TEXT_SIZE + 4, room * bar.value / longest, BAR, f"bar {bar.fill}"),
                _edge(top + TEXT_SIZE + 4, room * bar.value / longest, bar.fill),
            )
        )
    return picture(
        *parts,
        height=ROW * len(bars),
        identity=identity,
        title=title,
        description="; ".join(f"{bar.label}: {bar.text}" for bar in bars),
    )


def _edge(top: float, width: float, fill: str) -> Markup:
    """Stripes on the bars of memory-bound rows: told apart without colour."""
    if fill != "memory":
        return Markup("")
    strokes = "".join(f"M{LEFT + x:.0f} {top:.1f}v{BAR:.0f}" for x in range(4, int(width), 6))
    return element("path", {"d": strokes, "class": "stripes"}) if strokes else Markup("")
