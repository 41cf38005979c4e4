"""Drawings: a box where it is, enlarged so that words can be read."""

import numpy as np

from condmix.deploy.detect.drawing import draw
from condmix.runtime.detection.suppression import Detections


def test_a_box_is_drawn_where_it_is_and_small_pictures_are_enlarged() -> None:
    found = Detections(
        boxes_xyxy=np.array([[0.5, 0.5, 1.0, 1.0]] * 2, np.float32),
        scores=np.array([0.9, 0.4], np.float32),
        classes=np.array([1, 0]),
        anchors=np.array([3, 3]),
    )
    image = draw(np.zeros((60, 60, 1), np.uint8), found, ("cat", "dog"))
    assert image.size == (480, 480)
    pixels = np.asarray(image).max(axis=2)
    assert not pixels[:200].any()
    assert pixels[400, 240] > 200
    assert not pixels[400, 300:470].any()
    assert pixels[230:260, 245:300].any()
