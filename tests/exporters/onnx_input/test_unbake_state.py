"""Where images lie after elements are counted anew, tried on numbers."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.onnx_input.unbake_state import All, after_reshape

IMAGES = 3


def images_of(shape: tuple[int, ...], place: All) -> np.ndarray:
    """Which image each element of a tensor belongs to."""
    lengths = (*shape[: place.axis], place.outer, IMAGES, place.inner, *shape[place.axis + 1 :])
    numbers = np.arange(IMAGES).reshape(*(1,) * (place.axis + 1), IMAGES, *(1,) * (len(shape) - place.axis))
    return np.broadcast_to(numbers, lengths).reshape(shape)


@given(
    before=st.lists(st.integers(1, 4), min_size=0, max_size=2),
    outer=st.integers(1, 3),
    inner=st.integers(1, 4),
    behind=st.lists(st.integers(1, 4), min_size=0, max_size=2),
    data=st.data(),
)
def test_a_reshape_is_followed_exactly_or_refused(
    before: list[int], outer: int, inner: int, behind: list[int], data: st.DataObject
) -> None:
    place = All(len(before), outer, inner)
    shape = (*before, outer * IMAGES * inner, *behind)
    elements, target = math.prod(shape), []
    while elements > 1 and len(target) < 4:
        length = data.draw(st.sampled_from([d for d in range(1, elements + 1) if elements % d == 0]))
        target.append(length)
        elements //= length
    after = (*target, elements)
    found = after_reshape(place, IMAGES, shape, after)
    counted = images_of(shape, place).reshape(after)
    if found is not None:
        assert np.array_equal(images_of(after, found), counted)
    else:
        for axis, length in enumerate(after):
            for own_outer in range(1, length + 1):
                if length % (own_outer * IMAGES) == 0:
                    possible = All(axis, own_outer, length // (own_outer * IMAGES))
                    assert not np.array_equal(images_of(after, possible), counted)


def test_the_way_of_the_groups_trick() -> None:
    merged = after_reshape(All(0), 3, (3, 8, 5, 5), (1, 24, 5, 5))
    assert merged == All(1, 1, 8)
    assert after_reshape(All(0), 3, (3, 4 * 8 * 9), (12, 8, 3, 3)) == All(0, 1, 4)
    assert after_reshape(All(0, 1, 4), 3, (12, 1, 5, 5), (3, 4, 5, 5)) == All(0)
    assert after_reshape(All(0), 3, (3, 8), (4, 6)) is None
