"""Suppression by hand; the rule against another way of writing it; what cannot be set."""

import numpy as np
import pytest

from condmix.runtime.detection.boxes import pairwise_iou
from condmix.runtime.detection.settings import SuppressionSettings
from condmix.runtime.detection.suppression import Detections, from_fixed_size, suppress
from condmix.runtime.errors import InvalidSettingError

BOXES = np.array(
    [[0.0, 0.0, 0.4, 0.4], [0.02, 0.0, 0.42, 0.4], [0.5, 0.5, 0.9, 0.9], [0.5, 0.5, 0.9, 0.92]], np.float32
)


def test_the_better_of_two_that_overlap_stays_class_by_class():
    scores = np.array([[0.8, 0.1], [0.9, 0.7], [0.2, 0.6], [0.1, 0.65]], np.float32)
    found = suppress(BOXES, scores, SuppressionSettings(score_threshold=0.3, iou_threshold=0.5))
    assert found.anchors.tolist() == [1, 1, 3]
    assert found.classes.tolist() == [0, 1, 1]
    np.testing.assert_array_equal(found.scores, np.array([0.9, 0.7, 0.65], np.float32))
    np.testing.assert_array_equal(found.boxes_xyxy, BOXES[[1, 1, 3]])


def test_thresholds_are_exclusive_and_the_number_is_limited():
    scores = np.array([[0.5], [0.0], [0.25], [0.0]], np.float32)
    assert len(suppress(BOXES, scores, SuppressionSettings(score_threshold=0.5))) == 0
    assert len(suppress(BOXES, scores, SuppressionSettings(score_threshold=0.25))) == 1
    assert len(suppress(BOXES, scores, SuppressionSettings(score_threshold=0.0))) == 2
    assert len(suppress(BOXES, scores, SuppressionSettings(score_threshold=0.0, max_detections=1))) == 1


def test_equal_scores_go_by_class_then_place():
    scores = np.array([[0.5, 0.5], [0.0, 0.0], [0.5, 0.5], [0.5, 0.5]], np.float32)
    found = suppress(BOXES, scores, SuppressionSettings(score_threshold=0.1))
    assert list(zip(found.classes.tolist(), found.anchors.tolist(), strict=True)) == [(0, 0), (0, 2), (1, 0), (1, 2)]


@pytest.mark.parametrize("seed", range(6))
def test_what_stays_is_apart_and_what_goes_lies_under_a_better_one(seed):
    """Both together are the definition."""
    generator = np.random.default_rng(seed)
    low = generator.uniform(0, 0.7, (120, 2))
    boxes = np.concatenate((low, low + generator.uniform(0.05, 0.3, (120, 2))), axis=1).astype(np.float32)
    scores = generator.uniform(0, 1, (120, 3)).astype(np.float32)
    found = suppress(boxes, scores, SuppressionSettings(score_threshold=0.4, iou_threshold=0.45, max_detections=500))
    assert len(found) > 30
    assert (np.diff(found.scores) <= 0).all()
    for label in range(3):
        kept = found.anchors[found.classes == label]
        overlap = pairwise_iou(boxes[kept], boxes[kept]) - np.eye(len(kept))
        assert overlap.max() <= 0.45
        for anchor in set(np.flatnonzero(scores[:, label] > 0.4)) - set(kept.tolist()):
            covering = pairwise_iou(boxes[[anchor]], boxes[kept])[0] > 0.45
            assert (scores[kept[covering], label] > scores[anchor, label]).any()


def test_every_wrong_number_is_named():
    with pytest.raises(InvalidSettingError) as caught:
        SuppressionSettings(score_threshold=1.0, iou_threshold=-0.1, max_detections=0)
    assert caught.value.problems == (
        "score_threshold is 1.0: expected from 0 to below 1",
        "iou_threshold is -0.1: expected from 0 to 1",
        "max_detections is 0: expected at least 1",
    )


def test_fixed_size_outputs_end_at_their_count():
    outputs = {
        "detection_boxes": np.zeros((2, 3, 4), np.float32),
        "detection_scores": np.array([[0.9, 0.8, 0.0], [0.0, 0.0, 0.0]], np.float32),
        "detection_classes": np.array([[1, 0, -1], [-1, -1, -1]]),
        "detection_count": np.array([2, 0]),
    }
    first, second = from_fixed_size(outputs)
    assert isinstance(first, Detections)
    assert (len(first), len(second)) == (2, 0)
    assert first.classes.tolist() == [1, 0]
