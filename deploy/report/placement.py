"""Where the letter of a point goes, so that letters lie neither on each other nor on another point."""

from __future__ import annotations

from collections.abc import Sequence

from condmix.deploy.report.svg import TEXT_SIZE, text_width

Box = tuple[float, float, float, float]
_DIRECTIONS = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (-1, -1), (1, 1), (-1, 1))
_DISTANCES = (9.0, 16.0, 26.0, 38.0)
_POINT = 5.0
_APART = 3.0


def place_labels(
    points: Sequence[tuple[float, float]], texts: Sequence[str], *, within: Box
) -> list[tuple[float, float]]:
    """The middle of each text: the place nearest to its point that is free and inside `within`.

    Where nothing is free the text stays at its point's right: rather on top of something than gone.
    """
    taken: list[Box] = [(x - _POINT, y - _POINT, x + _POINT, y + _POINT) for x, y in points]
    places = []
    for (x, y), text in zip(points, texts, strict=True):
        place = _free_place(x, y, text, taken, within)
        places.append(place)
        taken.append(_box(*place, text))
    return places


def overlap(one: Box, other: Box) -> bool:
    """Whether two boxes (left, top, right, bottom) have a common area."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _free_place(x: float, y: float, text: str, taken: Sequence[Box], within: Box) -> tuple[float, float]:
    half = text_width(text) / 2
    for distance in _DISTANCES:
        for across, down in _DIRECTIONS:
            place = (x + across * (distance + half - 1), y + down * distance)
            box = _box(*place, text)
            inside = box[0] >= within[0] and box[1] >= within[1] and box[2] <= within[2] and box[3] <= within[3]
            if inside and not any(overlap(box, other) for other in taken):
                return place
    return x + _DISTANCES[0] + half - 1, y


def _box(x: float, y: float, text: str) -> Box:
    half = text_width(text) / 2 + _APART / 2
    return x - half, y - TEXT_SIZE / 2, x + half, y + TEXT_SIZE / 2
