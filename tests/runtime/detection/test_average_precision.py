"""Average precision against sums done by hand."""

import numpy as np
import pytest

from condmix.runtime.detection.average_precision import Truth, mean_average_precision
from condmix.runtime.detection.suppression import Detections
from condmix.runtime.errors import InvalidSettingError

UNIT = (0.1, 0.1, 0.3, 0.3)
APART = (0.6, 0.6, 0.8, 0.8)
NOWHERE = (0.0, 0.9, 0.05, 1.0)


def found(*items: tuple[tuple[float, ...], float, int]) -> Detections:
    boxes, scores, classes = zip(*items, strict=True) if items else ((), (), ())
    return Detections(
        boxes_xyxy=np.array(boxes, np.float32).reshape(-1, 4),
        scores=np.array(scores, np.float32),
        classes=np.array(classes, np.int64),
        anchors=np.zeros(len(items), np.int64),
    )


def truth(*items: tuple[tuple[float, ...], int]) -> Truth:
    return Truth(
        boxes_xyxy=np.array([box for box, _ in items], np.float32).reshape(-1, 4),
        classes=np.array([label for _, label in items], np.int64),
    )


def test_all_found_is_one_and_nothing_found_is_zero():
    real = [truth((UNIT, 0), (APART, 1))]
    assert mean_average_precision([found((UNIT, 0.9, 0), (APART, 0.2, 1))], real, class_count=2).at_50_to_95 == 1.0
    assert mean_average_precision([found()], real, class_count=2).at_50 == 0.0


def test_a_wrong_one_between_two_right_ones():
    """Right, wrong, right of two objects: precision 1 up to a recall of 1/2, then 2/3. 51 and 50 of 101 points."""
    real = [truth((UNIT, 0), (APART, 0))]
    result = mean_average_precision([found((UNIT, 0.9, 0), (NOWHERE, 0.8, 0), (APART, 0.7, 0))], real, class_count=1)
    assert result.at_50 == pytest.approx((51 * 1 + 50 * 2 / 3) / 101)


def test_precision_is_made_falling():
    """Wrong, right, right of two objects: 1/2 and 2/3, of which the better one counts for both."""
    real = [truth((UNIT, 0), (APART, 0))]
    result = mean_average_precision([found((NOWHERE, 0.9, 0), (UNIT, 0.8, 0), (APART, 0.7, 0))], real, class_count=1)
    assert result.at_50 == pytest.approx(2 / 3)


def test_an_object_is_found_once_only():
    real = [truth((UNIT, 0))]
    twice = found((UNIT, 0.9, 0), (UNIT, 0.8, 0))
    assert mean_average_precision([twice], real, class_count=1).at_50 == 1.0
    before = found((NOWHERE, 0.95, 0), (UNIT, 0.9, 0), (UNIT, 0.8, 0))
    assert mean_average_precision([before], real, class_count=1).at_50 == pytest.approx(0.5)


def test_half_of_the_objects_end_the_recall_at_one_half():
    real = [truth((UNIT, 0)), truth((UNIT, 0))]
    assert mean_average_precision([found((UNIT, 0.9, 0)), found()], real, class_count=1).at_50 == pytest.approx(
        51 / 101
    )


def test_scores_of_all_pictures_are_one_order():
    """The wrong box of the second picture is the best of all."""
    real = [truth((UNIT, 0)), truth((APART, 0))]
    result = mean_average_precision([found((UNIT, 0.6, 0)), found((UNIT, 0.9, 0))], real, class_count=1)
    assert result.at_50 == pytest.approx(51 / 101 * 1 / 2)


def test_overlap_decides_at_which_threshold_a_box_is_right():
    """An overlap of 0.64: right at 0.5, 0.55 and 0.6, wrong at the seven others."""
    shrunk = (0.1, 0.1, 0.26, 0.26)
    result = mean_average_precision([found((shrunk, 0.9, 0))], [truth((UNIT, 0))], class_count=1)
    assert result.at_50 == 1.0
    assert result.at_50_to_95 == pytest.approx(0.3)


def test_classes_that_nobody_shows_do_not_count_and_another_class_is_wrong():
    real = [truth((UNIT, 0), (APART, 2))]
    result = mean_average_precision([found((UNIT, 0.9, 0), (APART, 0.9, 1))], real, class_count=3)
    assert result.of_class_at_50 == (1.0, None, 0.0)
    assert result.at_50 == 0.5
    assert (result.picture_count, result.object_count) == (1, 2)


def test_what_cannot_be_averaged_is_said():
    with pytest.raises(InvalidSettingError) as caught:
        mean_average_precision([found()], [truth(), truth()], class_count=1)
    assert caught.value.problems == (
        "there are detections of 1 pictures and the truth of 2",
        "no picture shows an object: there is no recall",
    )
