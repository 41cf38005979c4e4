"""Where the batch goes in a Reshape: exactly where every image keeps its own elements, or nowhere."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.batch.reshape import batch_place, batched_target
from condmix.exporters.graph.facts import constant_ints
from condmix.exporters.lower.batch_axis import BatchAxis
from tests.exporters.conv_cases import exact_rule
from tests.exporters.graphs import node_of
from tests.exporters.sketch import Sketch


@st.composite
def reshapes(draw: st.DrawFn) -> tuple[tuple[int, ...], int, tuple[int, ...]]:
    """Two shapes of the same elements, and an axis of size one of the first."""
    factors = draw(st.lists(st.sampled_from([2, 2, 3]), max_size=4))

    def shape(least_ones: int) -> list[int]:
        """The factors, merged at random and with ones between them."""
        sizes: list[int] = []
        for factor in factors:
            if sizes and draw(st.booleans()):
                sizes[-1] *= factor
            else:
                sizes.append(factor)
        for _ in range(draw(st.integers(least_ones, 2))):
            sizes.insert(draw(st.integers(0, len(sizes))), 1)
        return sizes

    before = shape(1)
    axis = draw(st.sampled_from([index for index, size in enumerate(before) if size == 1]))
    return tuple(before), axis, tuple(shape(0))


def with_size(shape: tuple[int, ...], axis: int, size: int) -> tuple[int, ...]:
    return (*shape[:axis], size, *shape[axis + 1 :])


def keeps_images_apart(before: tuple[int, ...], axis: int, after: tuple[int, ...], place: int) -> bool:
    """Whether reshaping three images together gives each image's own result at `place`."""
    images = np.arange(3 * np.prod(before)).reshape(3, *before)
    together = np.concatenate(list(images), axis=axis).reshape(with_size(after, place, 3))
    apart = np.concatenate([image.reshape(after) for image in images], axis=place)
    return np.array_equal(together, apart)


@exact_rule
@given(case=reshapes())
def test_a_place_is_found_exactly_when_there_is_one(case: tuple[tuple[int, ...], int, tuple[int, ...]]) -> None:
    before, axis, after = case
    right = [index for index, size in enumerate(after) if size == 1 and keeps_images_apart(before, axis, after, index)]
    place = batch_place(before, axis, after)
    assert (place in right) if right else (place is None)


@pytest.mark.parametrize(
    ("before", "axis", "after", "place"),
    [
        ((1, 8, 1, 1), 0, (1, 8), 0),
        ((1, 8), 0, (1, 2, 4), 0),
        ((1, 8), 0, (2, 1, 4), None),
        ((2, 1, 4), 1, (1, 2, 4), None),
        ((2, 1, 4), 1, (2, 1, 2, 2), 1),
        ((1, 8), 0, (8,), None),
        ((1, 6), 0, (2, 3), None),
        # Several places serve: the same axis is taken, else the first.
        ((1, 1, 8), 0, (1, 1, 8), 0),
        ((1, 1, 8), 1, (1, 1, 8), 1),
        ((2, 4, 1), 2, (8, 1, 1), 2),
        ((8, 1), 1, (2, 4, 1, 1), 2),
        ((1,), 0, (1,), 0),
        ((1,), 0, (), None),
    ],
)
def test_places_by_hand(before: tuple[int, ...], axis: int, after: tuple[int, ...], place: int | None) -> None:
    assert batch_place(before, axis, after) == place


def reshape_node(*, computed: bool = False) -> ir.Node:
    sketch = Sketch()
    sketch.input("x", (1, 8))
    target = sketch.input("target", (3,), element_type=7) if computed else sketch.constant("target", [1, -1, 4])
    sketch.node("Reshape", ["x", target], "y", shape=(1, 2, 4))
    return node_of(sketch.model("y"), "Reshape")


@pytest.mark.parametrize(("size", "numbers"), [(1, (1, 2, 4)), (5, (5, 2, 4)), (None, (-1, 2, 4))])
def test_the_target_has_the_batch_in_it_and_no_other_unknown(size: int | None, numbers: tuple[int, ...]) -> None:
    target = batched_target(reshape_node(), 0, BatchAxis(size=size))
    assert target is not None
    assert constant_ints(target) == numbers
    assert target.name == "y/batched_shape"
    assert target.dtype == ir.DataType.INT64


def test_a_computed_target_cannot_be_rewritten() -> None:
    assert batched_target(reshape_node(computed=True), 0, BatchAxis(size=None)) is None


def test_a_wrong_place_would_be_noticed() -> None:
    assert not keeps_images_apart((1, 8), 0, (2, 1, 4), 1)
    assert keeps_images_apart((1, 8), 0, (1, 2, 4), 0)
