"""Operators that take parts of a tensor: results equal ONNX Runtime's where the order of elements matters."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from condmix.runtime.delegate_coverage import coverage
from tests.exporters.conv_cases import exact_rule
from tests.exporters.sketch import Sketch
from tests.exporters.tflite.movement_checks import EQUAL, SHAPES, UNEQUAL, check, ramp, refused
from tests.exporters.tflite.running import assert_as_in_onnx, counted, open_file, options_of


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
