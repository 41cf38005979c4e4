"""Letters beside points: apart where there is room, and never gone."""

from __future__ import annotations

import numpy as np
import pytest

from condmix.deploy.report.placement import overlap, place_labels
from condmix.deploy.report.svg import TEXT_SIZE, text_width

WITHIN = (40.0, 20.0, 350.0, 230.0)


def _box(place: tuple[float, float], text: str) -> tuple[float, float, float, float]:
    half = text_width(text) / 2
    return place[0] - half, place[1] - TEXT_SIZE / 2, place[0] + half, place[1] + TEXT_SIZE / 2


@pytest.mark.parametrize("seed", range(5))
def test_letters_of_scattered_points_do_not_touch_and_stay_inside(seed: int) -> None:
    points = [tuple(point) for point in np.random.default_rng(seed).uniform((60, 40), (330, 210), (9, 2))]
    texts = [str(number) for number in range(2, 11)]
    boxes = [_box(place, text) for place, text in zip(place_labels(points, texts, within=WITHIN), texts, strict=True)]
    assert not any(overlap(one, other) for number, one in enumerate(boxes) for other in boxes[:number])
    assert all(box[0] >= WITHIN[0] and box[2] <= WITHIN[2] and box[1] >= WITHIN[1] for box in boxes)


def test_points_at_one_place_get_letters_apart() -> None:
    places = place_labels([(200.0, 100.0)] * 3, ["A", "B", "C"], within=WITHIN)
    boxes = [_box(place, text) for place, text in zip(places, "ABC", strict=True)]
    assert not any(overlap(one, other) for number, one in enumerate(boxes) for other in boxes[:number])


def test_where_nothing_is_free_the_letter_is_there_all_the_same() -> None:
    assert place_labels([(1.0, 1.0)], ["A"], within=(0, 0, 2, 2)) == [pytest.approx((1 + 9 + 6.9 / 2 - 1, 1))]
