"""How the set is cut: ranges of a fixed number of images, whoever measures them and in whatever order."""

from __future__ import annotations

import math
from collections.abc import Sequence

from condmix.deploy.evaluate.job import EvalFile, LabelledImage


def range_length(asked: int, files: Sequence[EvalFile]) -> int:
    """Images a range: what was asked for, or the next number that holds whole calls of every file.

    So an image has the same neighbours in its call however the set is cut, and the result is the same.
    """
    whole = math.lcm(*(file.batch for file in files))
    return whole * math.ceil(asked / whole)


def cut(images: Sequence[LabelledImage], length: int) -> tuple[tuple[int, tuple[LabelledImage, ...]], ...]:
    """(place of the first image, images) of every range; the last may be shorter."""
    return tuple((start, tuple(images[start : start + length])) for start in range(0, len(images), length))
