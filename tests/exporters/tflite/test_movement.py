"""Operators that move elements, in two layouts: results equal ONNX Runtime's where the order of elements matters."""

from __future__ import annotations

import math

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.runtime.delegate_coverage import coverage
from tests.exporters.conv_cases import exact_rule
from tests.exporters.sketch import Sketch
from tests.exporters.tflite.movement_checks import EQUAL, SHAPES, UNEQUAL, check, ramp, refused
from tests.exporters.tflite.running import counted, open_file, operator_names, options_of


def moved(sketch: Sketch, x: str, output: str, step: tuple[str, object]) -> None:
    """One operator that keeps all elements."""
    operator, choice = step
    if operator == "Transpose":
        sketch.node("Transpose", [x], output, perm=choice)
    else:
        sketch.node("Reshape", [x, sketch.constant(f"{output}.shape", choice)], output)  # type: ignore[arg-type]


@st.composite
def journeys(draw: st.DrawFn) -> tuple[tuple[int, ...], list[tuple[str, object]]]:
    """A shape, and reshapes and transposes one after the other, through ranks one to five."""
    shape = first = draw(SHAPES)
    steps: list[tuple[str, object]] = []
    for _ in range(draw(st.integers(1, 4))):
        if draw(st.booleans()):
            order = draw(st.permutations(range(len(shape))))
            shape = tuple(shape[axis] for axis in order)
            steps.append(("Transpose", order))
        else:
            target = [1] * draw(st.integers(1, 5))
            for factor in _factors(math.prod(shape)):
                target[draw(st.integers(0, len(target) - 1))] *= factor
            shape = tuple(target)
            steps.append(("Reshape", target))
    return first, steps


def _factors(number: int) -> list[int]:
    for prime in (2, 3, 5):
        if number % prime == 0:
            return [prime, *_factors(number // prime)]
    return []


@exact_rule
@given(journey=journeys())
def test_reshapes_and_transposes_in_any_order(
    journey: tuple[tuple[int, ...], list[tuple[str, object]]],
) -> None:
    shape, steps = journey
    sketch = Sketch()
    sketch.input("x", shape)
    for index, step in enumerate(steps):
        moved(sketch, "x" if index == 0 else f"v{index}", f"v{index + 1}", step)
    sketch.node("Neg", [f"v{len(steps)}"], "y")
    check(sketch, shape)


@exact_rule
@given(shape=SHAPES, order=st.permutations(range(4)))
def test_every_permutation_of_an_image(shape: tuple[int, ...], order: list[int]) -> None:
    sketch = Sketch()
    sketch.node("Transpose", [sketch.input("x", shape)], "t", perm=order)
    sketch.node("Neg", ["t"], "y")
    check(sketch, shape)


def test_a_channel_shuffle() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 6, 3, 3))
    moved(sketch, "x", "five", ("Reshape", [1, 2, 3, 3, 3]))
    moved(sketch, "five", "turned", ("Transpose", [0, 2, 1, 3, 4]))
    moved(sketch, "turned", "y", ("Reshape", [1, 6, 3, 3]))
    check(sketch, (1, 6, 3, 3))


@pytest.mark.parametrize(
    ("shape", "target", "turns"),
    [
        # Positions cut otherwise: no transposes. Channels spread into positions: two.
        ((1, 3, 4, 6), [1, 3, 24, 1], 0),
        ((1, 3, 4, 6), [1, 3, 8, 3], 0),
        ((1, 8, 1, 1), [1, 8], 0),
        ((1, 8, 1, 1), [1, 2, 4, 1], 1),
        ((1, 1, 4, 6), [1, 24], 0),
        ((1, 3, 4, 6), [1, 72], 1),
        ((1, 3, 4, 6), [1, 6, 2, 6], 2),
    ],
)
def test_transposes_are_written_only_where_the_order_changes(
    shape: tuple[int, ...], target: list[int], turns: int
) -> None:
    sketch = Sketch()
    sketch.input("x", shape)
    moved(sketch, "x", "r", ("Reshape", target))
    sketch.node("Neg", ["r"], "y")
    assert counted(check(sketch, shape))["TRANSPOSE"] == turns


@exact_rule
@given(shape=SHAPES, axis=st.integers(-4, 3), count=st.integers(2, 6), relu=st.booleans())
def test_concatenations(shape: tuple[int, ...], axis: int, count: int, relu: bool) -> None:
    sketch = Sketch()
    names = [sketch.input("x", shape)]
    names += [sketch.node("Add", ["x", sketch.constant(f"c{index}", float(index))], f"a{index}") for index in
              range(1, count)]  # fmt: skip
    sketch.node("Concat", names, "c", axis=axis)
    sketch.node("Relu" if relu else "Neg", ["c"], "y")
    content = check(sketch, shape)
    assert counted(content)["CONCATENATION"] == (1 if count <= 4 else 2)
    position = (0, 3, 1, 2)[axis % 4]
    assert options_of(content, "CONCATENATION").axis == position  # type: ignore[attr-defined]
    assert coverage(open_file(content)).not_delegated == ()


@pytest.mark.parametrize("shape", [(2, 3), (3, 3, 3), EQUAL])
def test_a_concatenation_with_constants(shape: tuple[int, ...]) -> None:
    sketch = Sketch()
    sketch.input("x", shape)
    single = (1,) * len(shape)
    grown = (*shape[:1], 2, *shape[2:])
    sketch.node("Concat", ["x", sketch.constant("block", -ramp(grown))], "a", axis=1)
    sketch.node("ReduceSum", ["a", sketch.constant("axes", list(range(len(shape))))], "total")
    sketch.node("Concat", ["total", sketch.constant("one", np.full(single, 7.0, dtype=np.float32))], "y", axis=1)
    check(sketch, shape)
    check(sketch, shape, "a")


@pytest.mark.parametrize(
    ("shape", "target"),
    [((1, 3, 1, 1), [1, 3, 3, 3]), ((3, 1, 3, 1), [3, 3, 3, 3]), ((1, 4), [3, 4]), ((1, 3, 1), [2, 3, 4])],
)
def test_an_expansion(shape: tuple[int, ...], target: list[int]) -> None:
    sketch = Sketch()
    sketch.node("Expand", [sketch.input("x", shape), sketch.constant("target", target)], "e")
    sketch.node("Neg", ["e"], "y")
    check(sketch, shape)


def test_an_expansion_that_adds_axes_is_refused() -> None:
    sketch = Sketch()
    sketch.node("Expand", [sketch.input("x", (3, 1)), sketch.constant("target", [2, 3, 4])], "y", module="m")
    assert refused(sketch) == "m: Expand 'node_y': it adds axes"


@exact_rule
@given(
    shape=SHAPES,
    amounts=st.lists(st.integers(0, 2), min_size=8, max_size=8),
    fill=st.sampled_from([None, 0.0, -1.5]),
    some=st.booleans(),
)
def test_borders(shape: tuple[int, ...], amounts: list[int], fill: float | None, some: bool) -> None:
    axes = [3, 1] if some else None
    own = amounts[:4] if some else amounts
    sketch = Sketch()
    names = ["x", sketch.constant("amounts", own), "" if fill is None else sketch.constant("fill", fill)]
    if axes is not None:
        names.append(sketch.constant("axes", axes))
    sketch.input("x", shape)
    sketch.node("Pad", names, "p")
    sketch.node("Neg", ["p"], "y")
    content = check(sketch, shape)
    assert coverage(open_file(content)).complete
    assert counted(content)["PAD"] == int(any(own) and not fill)


@pytest.mark.parametrize(
    ("mode", "amounts", "reason"),
    [
        ("constant", [0, 0, -1, 0, 0, 0, 0, 0], "its amounts are computed or negative"),
        ("reflect", [0, 0, 1, 0, 0, 0, 1, 0], "mode reflect has no TFLite form here: only constant borders do"),
        ("edge", [0, 0, 1, 0, 0, 0, 1, 0], "mode edge has no TFLite form here: only constant borders do"),
    ],
)
def test_borders_that_are_refused(mode: str, amounts: list[int], reason: str) -> None:
    sketch = Sketch()
    sketch.node("Pad", [sketch.input("x", UNEQUAL), sketch.constant("a", amounts)], "y", module="m", mode=mode)
    assert refused(sketch) == f"m: Pad 'node_y': {reason}"


def test_a_border_of_a_computed_colour_is_refused() -> None:
    sketch = Sketch()
    names = [sketch.input("x", (2, 5)), sketch.constant("a", [0, 1, 0, 0]), sketch.input("colour", ())]
    sketch.node("Pad", names, "y", module="m")
    assert refused(sketch) == "m: Pad 'node_y': its filling is computed"


def test_operators_that_change_nothing_are_not_written() -> None:
    sketch = Sketch()
    sketch.input("x", UNEQUAL)
    sketch.node("Pad", ["x", sketch.constant("none", [0] * 8)], "p")
    sketch.node("Transpose", ["p"], "t", perm=[0, 1, 2, 3])
    sketch.node("Slice", ["t", sketch.constant("s", [0]), sketch.constant("e", [99]), sketch.constant("a", [2])], "w")
    sketch.node("Concat", ["w"], "c", axis=1)
    moved(sketch, "c", "r", ("Reshape", list(UNEQUAL)))
    sketch.node("Neg", ["r"], "y")
    assert operator_names(check(sketch, UNEQUAL)) == ["NEG", "TRANSPOSE"]


def test_whole_numbers_may_be_moved_too() -> None:
    sketch = Sketch()
    sketch.node("Cast", [sketch.input("x", UNEQUAL)], "whole", to=onnx.TensorProto.INT64)
    sketch.node("Pad", ["whole", sketch.constant("a", [0, 1, 0, 0, 0, 0, 2, 0])], "p")
    moved(sketch, "p", "t", ("Transpose", [0, 2, 3, 1]))
    moved(sketch, "t", "r", ("Reshape", [-1]))
    sketch.node("Cast", ["r"], "y", to=onnx.TensorProto.FLOAT)
    check(sketch, UNEQUAL)
