"""The frame of a chart with two axes: grid, ticks, their texts, and what the axes say."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from condmix.deploy.report.axis import Axis, tick_texts
from condmix.deploy.report.svg import TEXT_SIZE, WIDTH, group, line, text_width, words

TOP = 22.0
BOTTOM = 40.0
RIGHT = 12.0
MOST_TICKS_DOWN = 6
MOST_TICKS_ACROSS = 7


@dataclass(frozen=True, kw_only=True)
class AxisPlan:
    """What an axis shows, before it has a place.

    ticks: instead of round numbers, such as the batch sizes that were measured; those without room have no text.
    """

    low: float
    high: float
    title: str
    logarithmic: bool = False
    ticks: tuple[float, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Plot:
    """Two axes with their place in a picture WIDTH wide and `height` high."""

    x: Axis
    y: Axis
    height: float
    x_plan: AxisPlan
    y_plan: AxisPlan

    @classmethod
    def of(cls, x: AxisPlan, y: AxisPlan, *, height: float) -> Plot:
        """The plot with room on the left for the texts of the y axis. Raises ValueError for an empty axis."""
        down = Axis(low=y.low, high=y.high, start=height - BOTTOM, end=TOP, logarithmic=y.logarithmic)
        texts = [text for _, text in down.labelled_ticks(MOST_TICKS_DOWN, across=False)]
        left = max((text_width(text) for text in texts), default=0.0) + 12
        across = Axis(low=x.low, high=x.high, start=left, end=WIDTH - RIGHT, logarithmic=x.logarithmic)
        return cls(x=across, y=down, height=height, x_plan=x, y_plan=y)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The place of a point."""
        return self.x.at(x), self.y.at(y)

    def frame(self) -> Markup:
        """Grid lines, tick texts and the titles of both axes."""
        parts = []
        for value, text in self.y.labelled_ticks(MOST_TICKS_DOWN, across=False):
            y = self.y.at(value)
            parts.append(line(self.x.start, y, self.x.end, y, "grid"))
            parts.append(words(self.x.start - 6, y + TEXT_SIZE * 0.35, text, anchor="end", classes="tick"))
        for value, text in self._across():
            x = self.x.at(value)
            parts.append(line(x, self.y.start, x, self.y.start + 4, "axis"))
            if text:
                parts.append(self._tick(x, text))
        parts.append(line(self.x.start, self.y.start, self.x.end, self.y.start, "axis"))
        parts.append(words(2, TEXT_SIZE, self.y_plan.title, classes="axis-title"))
        parts.append(words(WIDTH - RIGHT, self.height - 5, self.x_plan.title, anchor="end", classes="axis-title"))
        return group(*parts)

    def _tick(self, x: float, text: str) -> Markup:
        # A text at the end of the axis would stick out of the picture.
        half = text_width(text) / 2
        x = min(max(x, half + 1), WIDTH - half - 1)
        return words(x, self.y.start + 4 + TEXT_SIZE, text, anchor="middle", classes="tick")

    def _across(self) -> tuple[tuple[float, str], ...]:
        if self.x_plan.ticks is None:
            return self.x.labelled_ticks(MOST_TICKS_ACROSS, across=True)
        found = []
        free_from = -1.0
        for value, text in zip(self.x_plan.ticks, tick_texts(self.x_plan.ticks), strict=True):
            half = text_width(text) / 2
            fits = self.x.at(value) - half >= free_from
            free_from = self.x.at(value) + half + 6 if fits else free_from
            found.append((value, text if fits else ""))
        return tuple(found)
