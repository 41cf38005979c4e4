"""Where the images lie in a value of a graph that was written for N of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class All:
    """All N images along one axis, whose length is outer * N * inner: the batch-in-groups trick has inner channels."""

    axis: int
    outer: int = 1
    inner: int = 1

    @property
    def is_plain(self) -> bool:
        """Whether the axis is the images and nothing else."""
        return self.outer == self.inner == 1


@dataclass(frozen=True)
class One:
    """What belongs to a single image."""

    index: int


Place = All | One | None
"""None: the same for all images."""


def after_reshape(place: All, images: int, before: Sequence[int], after: Sequence[int]) -> All | None:
    """Where the images are after elements were counted anew in the same order; None when an axis cuts through them."""
    in_front = math.prod(before[: place.axis]) * place.outer
    passed = 1
    for axis, length in enumerate(after):
        if length and in_front % passed == 0:
            outer = in_front // passed
            if outer * images <= length and length % (outer * images) == 0:
                return All(axis, outer, length // (outer * images))
        passed *= length
    return None
