"""Partners, ties and strangers."""

import numpy as np

from condmix.runtime.detection.matching import Candidates, match_boxes
from condmix.runtime.detection.settings import SuppressionSettings
from condmix.runtime.detection.suppression import suppress

BOXES = np.array([[0.1, 0.1, 0.5, 0.5], [0.1, 0.1, 0.51, 0.5], [0.6, 0.6, 0.9, 0.9]], np.float32)
SETTINGS = SuppressionSettings(score_threshold=0.3, iou_threshold=0.5)


def candidates(scores, boxes=BOXES):
    scores = np.array(scores, np.float32)
    return Candidates(boxes_xyxy=boxes, scores=scores, kept=suppress(boxes, scores, SETTINGS))


def test_the_same_is_complete():
    one = candidates([[0.9, 0.0], [0.8, 0.0], [0.0, 0.7]])
    match = match_boxes([one], [one], margin=0.0)
    assert (match.boxes, match.matched, match.ties, match.missing, match.extra) == (2, 2, 0, 0, 0)
    assert match.complete
    assert match.to_dict()["missing"] == 0


def test_a_box_at_the_threshold_is_a_tie_on_both_sides():
    above, below = (
        candidates([[0.9, 0.0], [0.0, 0.0], [0.0, 0.3004]]),
        candidates([[0.9, 0.0], [0.0, 0.0], [0.0, 0.2998]]),
    )
    match = match_boxes([above], [below], margin=1e-3)
    assert (match.matched, match.ties, match.missing, match.extra) == (1, 1, 0, 0)
    back = match_boxes([below], [above], margin=1e-3)
    assert (back.boxes, back.matched, back.extra) == (1, 1, 0)
    strict = match_boxes([above], [below], margin=1e-4)
    assert (strict.ties, strict.missing) == (0, 1)
    assert not strict.complete


def test_a_neighbour_that_suppression_preferred_is_a_tie():
    first, second = (
        candidates([[0.9, 0.0], [0.8999, 0.0], [0.0, 0.0]]),
        candidates([[0.8999, 0.0], [0.9, 0.0], [0.0, 0.0]]),
    )
    match = match_boxes([first], [second], margin=1e-3)
    assert (match.matched, match.ties, match.missing, match.extra) == (0, 1, 0, 0)


def test_another_class_or_another_place_is_missing_and_extra():
    one = candidates([[0.9, 0.0], [0.0, 0.0], [0.0, 0.0]])
    for other in (
        candidates([[0.0, 0.9], [0.0, 0.0], [0.0, 0.0]]),
        candidates([[0.9, 0.0], [0.0, 0.0], [0.0, 0.0]], BOXES + np.float32(0.05)),
    ):
        match = match_boxes([one], [other], margin=1e-3)
        assert (match.matched, match.ties, match.missing, match.extra) == (0, 0, 1, 1)


def test_one_box_is_no_partner_of_two():
    boxes = np.array([[0.1, 0.1, 0.5, 0.5], [0.1, 0.1, 0.5, 0.5]], np.float32)
    loose = SuppressionSettings(score_threshold=0.3, iou_threshold=1.0)
    scores = np.array([[0.9], [0.8]], np.float32)
    both = Candidates(boxes_xyxy=boxes, scores=scores, kept=suppress(boxes, scores, loose))
    single = Candidates(boxes_xyxy=boxes, scores=scores * [[1], [0]], kept=suppress(boxes, scores * [[1], [0]], loose))
    match = match_boxes([both], [single], margin=1e-3)
    assert (match.matched, match.missing) == (1, 1)
