"""Operators that move elements, in two layouts: results equal ONNX Runtime's where the order of elements matters."""

from __future__ import annotations

import math

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.errors import NotExportableError
from condmix.runtime.delegate_coverage import coverage
from tests.exporters.conv_cases import exact_rule
from tests.exporters.sketch import Sketch
from tests.exporters.tflite.running import assert_as_in_onnx, counted, open_file, operator_names, options_of, written

EQUAL = (3, 3, 3, 3)
"""All lengths alike: no shape gives away a mistaken axis."""
UNEQUAL = (2, 3, 4, 5)
SHAPES = st.sampled_from([EQUAL, UNEQUAL, (1, 3, 4, 4), (1, 6, 1, 1), (2, 1, 4, 5), (1, 4, 1, 5)])


def ramp(shape: tuple[int, ...]) -> np.ndarray:
    """Every element another number."""
    return np.arange(math.prod(shape), dtype=np.float32).reshape(shape)


def check(sketch: Sketch, shape: tuple[int, ...], output: str = "y") -> bytes:
    return assert_as_in_onnx(sketch.model(output), {"x": ramp(shape)})


def refused(sketch: Sketch, output: str = "y") -> str:
    with pytest.raises(NotExportableError) as refusal:
        written(sketch.model(output))
    (problem,) = refusal.value.problems
    return problem


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


@st.composite
def boxes(draw: st.DrawFn) -> tuple[tuple[int, ...], dict[str, list[int]]]:
    shape = draw(SHAPES)
    axes = draw(st.permutations(range(len(shape))))[: draw(st.integers(1, 4))]
    box: dict[str, list[int]] = {"starts": [], "ends": [], "axes": [], "steps": []}
    for axis in axes:
        start = draw(st.integers(0, shape[axis] - 1))
        end = draw(st.one_of(st.integers(start + 1, shape[axis]), st.just(2**63 - 1)))
        box["starts"].append(start - draw(st.sampled_from([0, shape[axis]])))
        box["ends"].append(end)
        box["axes"].append(axis - draw(st.sampled_from([0, 4])))
        box["steps"].append(draw(st.sampled_from([1, 1, 2, 3])))
    return shape, box


@exact_rule
@given(case=boxes())
def test_slices(case: tuple[tuple[int, ...], dict[str, list[int]]]) -> None:
    shape, box = case
    sketch = Sketch()
    names = [sketch.constant(name, numbers) for name, numbers in box.items()]
    sketch.node("Slice", [sketch.input("x", shape), *names], "s")
    sketch.node("Neg", ["s"], "y")
    kinds = counted(check(sketch, shape))
    assert (kinds["STRIDED_SLICE"] > 0) == any(step > 1 for step in box["steps"])


def test_a_slice_without_axes_but_with_steps() -> None:
    sketch = Sketch()
    bounds = [sketch.constant("starts", [0, 1, 0, 2]), sketch.constant("ends", [2, 3, 3, 3])]
    steps = sketch.constant("steps", [1, 1, 2, 1])
    sketch.node("Slice", [sketch.input("x", UNEQUAL), *bounds, "", steps], "y")
    content = check(sketch, UNEQUAL)
    assert vars(options_of(content, "STRIDED_SLICE")) == {
        "beginMask": 0, "endMask": 0, "ellipsisMask": 0, "newAxisMask": 0, "shrinkAxisMask": 0, "offset": False,
    }  # fmt: skip


def test_a_slice_that_runs_backwards_is_refused() -> None:
    sketch = Sketch()
    names = [sketch.constant(name, [number]) for name, number in zip("abcd", (-1, -9, 1, -1), strict=True)]
    sketch.node("Slice", [sketch.input("x", (2, 5)), *names], "y", module="m")
    assert refused(sketch) == "m: Slice 'node_y': its bounds are computed or it runs backwards"


@exact_rule
@given(shape=SHAPES, axis=st.integers(-4, 3), parts=st.integers(2, 3))
def test_splits(shape: tuple[int, ...], axis: int, parts: int) -> None:
    length = 7 if shape is EQUAL else 6
    shape = tuple(length if index == axis % 4 else own for index, own in enumerate(shape))
    sizes = [1, length - 1] if parts == 2 else [2, 1, length - 3]
    sketch = Sketch()
    names = [f"p{index}" for index in range(parts)]
    sketch.node("Split", [sketch.input("x", shape), sketch.constant("sizes", sizes)], names, axis=axis)
    outputs = [sketch.node("Neg", [name], f"y{name}") for name in names]
    content = assert_as_in_onnx(sketch.model(*outputs), {"x": ramp(shape)})
    assert counted(content)["SLICE"] == parts
    assert coverage(open_file(content)).complete


@exact_rule
@given(shape=SHAPES, axis=st.integers(-4, 3), vector=st.booleans(), last=st.booleans())
def test_a_gather_of_one(shape: tuple[int, ...], axis: int, vector: bool, last: bool) -> None:
    index = -1 if last else 0
    sketch = Sketch()
    indices = sketch.constant("i", np.asarray([index] if vector else index))
    sketch.node("Gather", [sketch.input("x", shape), indices], "g", axis=axis)
    sketch.node("Neg", ["g"], "y")
    content = check(sketch, shape)
    assert not vector or counted(content)["TRANSPOSE"] == 0


def test_a_gather_from_five_axes_gives_an_image() -> None:
    sketch = Sketch()
    sketch.node("Gather", [sketch.input("x", (2, 3, 3, 3, 3)), sketch.constant("i", np.asarray(1))], "g", axis=0)
    sketch.node("Neg", ["g"], "y")
    check(sketch, (2, 3, 3, 3, 3))


def test_a_gather_of_several_is_refused() -> None:
    sketch = Sketch()
    sketch.node("Gather", [sketch.input("x", (2, 5)), sketch.constant("i", [0, 1])], "y", module="m")
    assert refused(sketch) == "m: Gather 'node_y': its indices are computed, or there are several"


def test_a_gather_by_coordinates() -> None:
    sketch = Sketch()
    sketch.node("GatherND", [sketch.input("x", (3, 4)), sketch.constant("i", np.asarray([[2, 1], [0, 3]]))], "y")
    check(sketch, (3, 4))


def test_a_gather_by_coordinates_from_an_image_is_refused() -> None:
    sketch = Sketch()
    sketch.node("GatherND", [sketch.input("x", EQUAL), sketch.constant("i", np.asarray([[2, 1]]))], "y", module="m")
    reason = "it gathers an image, from an image or within a batch"
    assert refused(sketch) == f"m: GatherND 'node_y': {reason}"


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
