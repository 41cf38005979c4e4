"""The figures of a file, counted by hand on a handful of images."""

from __future__ import annotations

import pytest

from condmix.deploy.evaluate.file_result import file_result
from condmix.deploy.evaluate.image_rows import NOTHING, ImageRows
from condmix.deploy.evaluate.share import Share

LABELS = [0, 0, 1, 1, 2, 2]
YARDSTICK = ImageRows(answers=(0, 1, 1, 1, 2, 0), ranks=(0, 1, 0, 0, 0, 2))
ROWS = ImageRows(
    answers=(0, 0, 1, 2, 2, 0),
    ranks=(0, 0, 0, 1, 0, 1),
    sqnr_db=(30.0, 10.0, 40.0, 20.0, 50.0, 60.0),
    cosine=(0.9, 0.8, 0.9, 0.95, 1.0, 1.0),
    largest_difference=(0.5, 2.0, 0.1, 2.0, 0.0, 0.0),
)


def test_top_counts_ranks() -> None:
    found = file_result(ROWS, LABELS, None, (1, 2))
    assert found.top == ((1, Share(count=4, total=6)), (2, Share(count=6, total=6)))
    assert found.comparison is None
    assert found.nonfinite_images == 0


def test_classes_and_confusions() -> None:
    found = file_result(ROWS, LABELS, None, (1,))
    assert [(one.label, one.right.count, one.right.total) for one in found.classes] == [(0, 2, 2), (1, 1, 2), (2, 1, 2)]
    assert found.worst_class.label == 1
    assert [(one.label, one.answer, one.count) for one in found.confusions] == [(1, 2, 1), (2, 0, 1)]


def test_confusions_are_the_most_frequent_first_and_at_most_ten() -> None:
    labels = [0] * 30
    answers = (*([1] * 3), *([2] * 5), *range(1, 20), 0, 0, 0)
    rows = ImageRows(answers=answers, ranks=tuple(int(answer != 0) for answer in answers))
    found = file_result(rows, labels, None, (1,)).confusions
    assert [(one.answer, one.count) for one in found[:3]] == [(2, 6), (1, 4), (3, 1)]
    assert len(found) == 10


def test_the_comparison() -> None:
    found = file_result(ROWS, LABELS, YARDSTICK, (1,)).comparison
    assert found is not None
    assert found.agreement == Share(count=4, total=6)
    assert (found.gained, found.lost) == (1, 1)
    assert (found.sqnr_db_median, found.sqnr_db_worst, found.sqnr_db_worst_place) == (35.0, 10.0, 1)
    assert found.cosine_worst == pytest.approx(0.8, abs=0)
    assert (found.largest_difference, found.largest_difference_place) == (2.0, 1)


def test_what_is_not_finite_is_counted_wrong_and_has_no_largest_difference() -> None:
    rows = ImageRows(
        answers=(NOTHING, 0), ranks=(3, 0), sqnr_db=(-200.0, 90.0), cosine=(-1.0, 1.0), largest_difference=(None, 0.0)
    )
    found = file_result(rows, [0, 0], ImageRows(answers=(0, 0), ranks=(0, 0)), (1,))
    assert found.nonfinite_images == 1
    assert found.top[0][1].count == 1
    assert found.confusions[0].answer == NOTHING
    assert found.comparison is not None
    assert found.comparison.largest_difference is None
    assert found.comparison.agreement.count == 1


def test_two_files_without_an_answer_do_not_agree() -> None:
    broken = ImageRows(answers=(NOTHING,), ranks=(3,))
    rows = ImageRows(answers=(NOTHING,), ranks=(3,), sqnr_db=(None,), cosine=(None,), largest_difference=(None,))
    found = file_result(rows, [0], broken, (1,)).comparison
    assert found is not None
    assert found.agreement.count == 0
    assert (found.sqnr_db_median, found.sqnr_db_worst, found.cosine_worst) == (None, None, None)
