"""What a file answered on each image of a range: small, exact, and all that the result needs of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from condmix.runtime.agreement import agreement
from condmix.runtime.errors import InvalidRecordError
from condmix.runtime.records import read_fields

NOTHING = -1
"""The answer of a file whose scores are not all finite."""
_RECORD = "ImageRows"
_COMPARED = ("sqnr_db", "cosine", "largest_difference")


@dataclass(frozen=True, kw_only=True)
class ImageRows:
    """One entry an image, in the order of the set.

    answers: the class with the largest score, the first of equal ones; NOTHING where a score is not finite.
    ranks: of the label: how many classes come before it, those with a larger score and those with an equal one and a
    smaller number; as many as there are classes where a score is not finite.
    sqnr_db, cosine, largest_difference: of the scores against the yardstick's, None for the yardstick itself; entries
    are None where the yardstick's are not finite, largest_difference also where the file's are not.
    """

    answers: tuple[int, ...]
    ranks: tuple[int, ...]
    sqnr_db: tuple[float | None, ...] | None = None
    cosine: tuple[float | None, ...] | None = None
    largest_difference: tuple[float | None, ...] | None = None

    def __post_init__(self) -> None:
        problems = []
        compared = {name: getattr(self, name) for name in _COMPARED}
        lengths = {len(self.answers), len(self.ranks), *(len(one) for one in compared.values() if one is not None)}
        if len(lengths) != 1:
            problems.append(f"the lists have {', '.join(map(str, sorted(lengths)))} entries: expected the same number")
        if len({one is None for one in compared.values()}) != 1:
            problems.append(f"{', '.join(_COMPARED)} must be there together, or none of them")
        if problems:
            raise InvalidRecordError(problems, record=_RECORD)

    def __len__(self) -> int:
        return len(self.answers)

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON; numbers come back exactly as they were."""
        return {
            "answers": list(self.answers),
            "ranks": list(self.ranks),
            **{name: None if (one := getattr(self, name)) is None else list(one) for name in _COMPARED},
        }

    @classmethod
    def from_dict(cls, data: object) -> ImageRows:
        """The record written by `to_dict`. Raises InvalidRecordError."""
        wanted: dict[str, type | tuple[type, ...]] = {
            "answers": list,
            "ranks": list,
            **dict.fromkeys(_COMPARED, (list, type(None))),
        }
        values = read_fields(data, record=_RECORD, fields=wanted, schema_version=None)
        problems = [
            f"{key!r}[{place}] must be a whole number, found {one!r}"
            for key in ("answers", "ranks")
            for place, one in enumerate(cast("list[object]", values[key]))
            if type(one) is not int
        ]
        problems += [
            f"{key!r}[{place}] must be a finite number or null, found {one!r}"
            for key in _COMPARED
            for place, one in enumerate(cast("list[object]", values[key] or []))
            if not (one is None or (type(one) is float and math.isfinite(one)))
        ]
        if problems:
            raise InvalidRecordError(problems, record=_RECORD)
        whole = {key: tuple(cast("list[int]", values[key])) for key in ("answers", "ranks")}
        compared = {
            key: None if values[key] is None else tuple(cast("list[float | None]", values[key])) for key in _COMPARED
        }
        return cls(**whole, **compared)  # type: ignore[arg-type]  # checked just above


def rows_of(scores: np.ndarray, labels: Sequence[int], yardstick: np.ndarray | None) -> ImageRows:
    """The entries of scores (images, classes), compared with the yardstick's where there are any."""
    finite = np.isfinite(scores).all(axis=1)
    answers = [int(row.argmax()) if sound else NOTHING for row, sound in zip(scores, finite, strict=True)]
    ranks = [_rank(row, label) if sound else len(row) for row, sound, label in zip(scores, finite, labels, strict=True)]
    if yardstick is None:
        return ImageRows(answers=tuple(answers), ranks=tuple(ranks))
    compared = [_compared(exact, row) for exact, row in zip(yardstick, scores, strict=True)]
    decibels, cosine, difference = zip(*compared, strict=True)
    return ImageRows(
        answers=tuple(answers), ranks=tuple(ranks), sqnr_db=decibels, cosine=cosine, largest_difference=difference
    )


def _rank(row: np.ndarray, label: int) -> int:
    """Of equal scores the smaller class comes first, as in argmax: rank 0 is the answer."""
    own = row[label]
    return int((row > own).sum() + (row[:label] == own).sum())


def _compared(exact: np.ndarray, row: np.ndarray) -> tuple[float | None, float | None, float | None]:
    """One image by itself, so that its figures depend on nothing else that is measured."""
    if not np.isfinite(exact).all():
        return None, None, None
    (found,) = agreement({"scores": exact[None]}, {"scores": row[None]})
    difference = float(np.abs(row - exact).max()) if np.isfinite(row).all() else None
    return found.sqnr_db_worst, found.cosine_worst, difference
