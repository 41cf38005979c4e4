"""One file over the whole set: from what it answered on each image to the figures that are told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from condmix.deploy.evaluate.image_rows import NOTHING, ImageRows
from condmix.deploy.evaluate.share import Share

MOST_CONFUSIONS = 10


@dataclass(frozen=True, kw_only=True)
class ClassResult:
    """The images of one class."""

    label: int
    right: Share


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """So many images of the class `label` got the answer `answer` (NOTHING: scores that are not finite)."""

    label: int
    answer: int
    count: int


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A file beside the yardstick, image by image.

    agreement: both name the same class. gained: right where the yardstick is wrong; lost: the other way round.
    sqnr_db_median, sqnr_db_worst, cosine_worst, largest_difference: of the scores; None where no image could be
    compared, largest_difference also where a score is not finite. The places are those of the worst images in the set.
    """

    agreement: Share
    gained: int
    lost: int
    sqnr_db_median: float | None
    sqnr_db_worst: float | None
    sqnr_db_worst_place: int | None
    cosine_worst: float | None
    largest_difference: float | None
    largest_difference_place: int | None


@dataclass(frozen=True, kw_only=True)
class FileResult:
    """All figures of one file. top: (k, share of images whose label is among the k largest scores)."""

    top: tuple[tuple[int, Share], ...]
    nonfinite_images: int
    classes: tuple[ClassResult, ...]
    confusions: tuple[Confusion, ...]
    comparison: Comparison | None

    @property
    def worst_class(self) -> ClassResult:
        """That with the smallest share of right answers, the first of equal ones."""
        return min(self.classes, key=lambda one: one.right.share)


def file_result(rows: ImageRows, labels: Sequence[int], yardstick: ImageRows | None, top: Sequence[int]) -> FileResult:
    """The figures of all images in the order of the set. yardstick: its rows, None for itself."""
    ranks, truth = np.array(rows.ranks), np.array(labels)
    right = ranks == 0
    classes = tuple(
        ClassResult(label=int(label), right=Share(count=int(right[truth == label].sum()), total=int(count)))
        for label, count in zip(*np.unique(truth, return_counts=True), strict=True)
    )
    pairs = Counter((label, answer) for label, answer in zip(labels, rows.answers, strict=True) if answer != label)
    worst = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))[:MOST_CONFUSIONS]
    return FileResult(
        top=tuple((k, Share(count=int((ranks < k).sum()), total=len(rows))) for k in top),
        nonfinite_images=sum(answer == NOTHING for answer in rows.answers),
        classes=classes,
        confusions=tuple(Confusion(label=label, answer=answer, count=count) for (label, answer), count in worst),
        comparison=None if yardstick is None else _comparison(rows, yardstick),
    )


def _comparison(rows: ImageRows, yardstick: ImageRows) -> Comparison:
    pairs = list(zip(rows.answers, yardstick.answers, strict=True))
    same = sum(own == other != NOTHING for own, other in pairs)
    right = [(own == 0, other == 0) for own, other in zip(rows.ranks, yardstick.ranks, strict=True)]
    assert rows.sqnr_db is not None
    assert rows.cosine is not None
    assert rows.largest_difference is not None
    decibels = [(value, place) for place, value in enumerate(rows.sqnr_db) if value is not None]
    cosines = [value for value in rows.cosine if value is not None]
    differences = [(value, place) for place, value in enumerate(rows.largest_difference) if value is not None]
    worst_db = min(decibels, default=None)
    # The first image of the largest difference; of equal ones the smaller place.
    largest = max(differences, key=lambda one: (one[0], -one[1]), default=None)
    if len(differences) < len(rows):
        largest = None
    return Comparison(
        agreement=Share(count=same, total=len(rows)),
        gained=sum(own and not other for own, other in right),
        lost=sum(other and not own for own, other in right),
        sqnr_db_median=float(np.median([value for value, _ in decibels])) if decibels else None,
        sqnr_db_worst=None if worst_db is None else worst_db[0],
        sqnr_db_worst_place=None if worst_db is None else worst_db[1],
        cosine_worst=min(cosines, default=None),
        largest_difference=None if largest is None else largest[0],
        largest_difference_place=None if largest is None else largest[1],
    )
