"""The detection set made here: exact boxes, the seed alone decides, training never sees what is held out."""

import numpy as np
import pytest

from condmix.models.detection_data import CLASS_NAMES, PREPROCESSING, PictureMaker
from condmix.models.errors import SettingsError


@pytest.fixture(scope="module")
def maker():
    return PictureMaker(held_out=False)


def test_pictures_follow_from_the_seed_alone(maker):
    first, again, other = (maker.make(6, side=64, seed=seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first.pictures, again.pictures, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first.pictures, other.pictures, strict=True))
    held_out = PictureMaker(held_out=True).make(6, side=64, seed=1)
    assert not any(np.array_equal(a, b) for a, b in zip(first.pictures, held_out.pictures, strict=True))


def test_boxes_are_tight_around_what_was_drawn(maker, monkeypatch):
    """On a black background every bright pixel is an object's, so a box can be measured."""
    monkeypatch.setattr("condmix.models.detection_data._BACKGROUND_BRIGHTNESS", 0.0)
    data = maker.make(60, side=96, seed=5)
    seen = set()
    for pixels, boxes, labels in zip(data.pictures, data.boxes, data.labels, strict=True):
        assert boxes.shape == (len(labels), 4)
        if len(labels) != 1 or CLASS_NAMES[labels[0]] == "digit":
            continue
        seen.add(int(labels[0]))
        bright = pixels.max(axis=2) >= 0.5 * pixels.max()
        rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
        measured = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
        assert np.abs(measured - boxes[0] * 96).max() <= 1
    assert len(seen) >= 3


def test_all_classes_occur_within_the_picture_and_hardly_overlap(maker):
    data = maker.make(80, side=64, seed=3)
    assert set(np.concatenate(data.labels).tolist()) == set(range(len(CLASS_NAMES)))
    boxes = np.concatenate(data.boxes)
    assert boxes.min() >= 0
    assert boxes.max() <= 1
    assert ((boxes[:, 2:] - boxes[:, :2]) > 0.05).all()
    assert data.inputs(PREPROCESSING, (3, 64, 64)).shape == (80, 3, 64, 64)


def test_what_cannot_be_made_is_said(maker):
    with pytest.raises(SettingsError) as caught:
        maker.make(0, side=16, seed=0)
    assert caught.value.problems == (
        "count is 0, expected at least 1",
        "side is 16, expected at least 32 pixels",
    )
