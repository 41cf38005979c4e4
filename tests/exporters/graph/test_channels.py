"""Where channels come from: slices and splits on the channel axis, followed to the tensor they cut."""

from __future__ import annotations

import itertools

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.graph.channels import channel_slice
from tests.exporters.conv_cases import exact_rule
from tests.exporters.graphs import produced_by, run
from tests.exporters.sketch import Sketch

CHANNELS = 12


def add_slice(sketch: Sketch, x: str, output: str, start: int, stop: int, *, axis: int = 1, step: int = 1) -> str:
    parts = [
        sketch.constant(f"{output}.{name}", [number])
        for name, number in (("start", start), ("stop", stop), ("axis", axis), ("step", step))
    ]
    return sketch.node("Slice", [x, *parts], output)


def value_of(model: ir.Model, name: str) -> ir.Value:
    return next(value for value in produced_by(model, name).outputs if value.name == name)


@st.composite
def cuts(draw: st.DrawFn) -> list[tuple[str, int, int]]:
    """Up to three cuts of what is left, as (kind, start, stop)."""
    left = CHANNELS
    steps: list[tuple[str, int, int]] = []
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, left - 1))
        stop = draw(st.integers(start + 1, left))
        steps.append((draw(st.sampled_from(["Split", "Slice", "Slice from the end"])), start, stop))
        left = stop - start
    return steps


@exact_rule
@given(steps=cuts())
def test_the_slice_found_is_the_slice_computed(steps: list[tuple[str, int, int]]) -> None:
    sketch = Sketch()
    last, left = sketch.input("x", (1, CHANNELS, 1, 1)), CHANNELS
    for index, (kind, start, stop) in enumerate(steps):
        name = f"cut{index}"
        if kind == "Split":
            bounds = sorted({0, start, stop, left})
            outputs = [name if low == start else f"{name}.{low}" for low in bounds[:-1]]
            sizes = sketch.constant(f"{name}.sizes", [high - low for low, high in itertools.pairwise(bounds)])
            sketch.node("Split", [last, sizes], outputs, axis=1 if start % 2 else -3)
            last = name
        elif kind == "Slice":
            last = add_slice(sketch, last, name, start, stop)
        else:
            last = add_slice(sketch, last, name, start - left, stop if stop == left else stop - left, axis=-3)
        left = stop - start
    model = sketch.model(last)
    found = channel_slice(value_of(model, last))
    assert found.source.name == "x"
    assert len(found.nodes) == len(steps)
    assert found.is_whole == (left == CHANNELS)
    x = np.arange(CHANNELS, dtype=np.float32).reshape(1, CHANNELS, 1, 1)
    np.testing.assert_array_equal(run(model, {"x": x})[last], x[:, found.start : found.stop])


def test_a_value_that_nothing_cuts_is_whole() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 4, 2, 2))
    sketch.node("Relu", ["x"], "y")
    found = channel_slice(value_of(sketch.model("y"), "y"))
    assert (found.start, found.stop, found.nodes, found.is_whole) == (0, 4, (), True)
    assert found.source.name == "y"


@pytest.mark.parametrize(("axis", "step"), [(2, 1), (1, 2)])
def test_other_slices_are_not_followed(axis: int, step: int) -> None:
    sketch = Sketch()
    sketch.input("x", (1, 4, 4, 2))
    add_slice(sketch, "x", "y", 0, 3, axis=axis, step=step)
    assert channel_slice(value_of(sketch.model("y"), "y")).source.name == "y"


def test_a_split_of_another_axis_is_not_followed() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 4, 4, 2))
    sketch.node("Split", ["x", sketch.constant("sizes", [1, 3])], ["y", "z"], axis=2)
    assert channel_slice(value_of(sketch.model("y", "z"), "z")).source.name == "z"


def test_a_slice_of_two_axes_is_not_followed() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 4, 4, 2))
    parts = [sketch.constant(name, numbers) for name, numbers in (("s", [0, 0]), ("e", [2, 2]), ("a", [1, 2]))]
    sketch.node("Slice", ["x", *parts], "y")
    assert channel_slice(value_of(sketch.model("y"), "y")).source.name == "y"
