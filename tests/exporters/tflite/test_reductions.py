"""Operators along axes equal ONNX Runtime's; none mistakes an axis of one layout for one of the other."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.errors import NotExportableError
from tests.exporters.conv_cases import exact_rule, seeds
from tests.exporters.sketch import Sketch
from tests.exporters.tflite.running import assert_as_in_onnx, counted, options_of, written

EQUAL, UNEQUAL = (3, 3, 3, 3), (2, 3, 4, 5)
IMAGES = st.sampled_from([EQUAL, UNEQUAL, (1, 5, 1, 4)])


def numbers(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def check(sketch: Sketch, shape: tuple[int, ...], seed: int = 0) -> bytes:
    return assert_as_in_onnx(sketch.model("y"), {"x": numbers(shape, seed)})


def refused(sketch: Sketch) -> str:
    with pytest.raises(NotExportableError) as refusal:
        written(sketch.model("y"))
    (problem,) = refusal.value.problems
    return problem


REDUCTIONS = st.sampled_from(["ReduceMean", "ReduceSum", "ReduceMax", "ReduceL2"])


@exact_rule
@given(
    operator=REDUCTIONS,
    shape=st.one_of(IMAGES, st.sampled_from([(4,), (3, 4), (3, 3, 3), (2, 3, 3, 3, 3)])),
    places=st.sets(st.integers(0, 4), min_size=1),
    negative=st.booleans(),
    seed=seeds,
)
def test_reductions_that_keep_axes(
    operator: str, shape: tuple[int, ...], places: set[int], negative: bool, seed: int
) -> None:
    rank = len(shape)
    axes = sorted({place % rank - (rank if negative else 0) for place in places})
    sketch = Sketch()
    sketch.input("x", shape)
    sketch.node("Neg", ["x"], "n")
    sketch.node("ReduceMean", ["n", sketch.constant("axes", axes)], "r")
    sketch.node(operator, ["r", "axes"], "again")
    sketch.node(operator, ["n", "axes"], "own")
    sketch.node("Add", ["again", "own"], "y")
    check(sketch, shape, seed)


@pytest.mark.parametrize("shape", [EQUAL, UNEQUAL, (3, 3, 3), (2, 3, 4), (2, 3)])
@pytest.mark.parametrize("axes", [[0], [1], [2], [-1], [0, 1], [2, 3], [1, 2, 3], [0, 2, 3], [0, 1, 2, 3], None])
@pytest.mark.parametrize("operator", ["ReduceMean", "ReduceMax"])
def test_reductions_that_drop_axes(operator: str, axes: list[int] | None, shape: tuple[int, ...]) -> None:
    if axes is not None and max(axes) >= len(shape):
        axes = [axis for axis in axes if axis < len(shape)] or [0]
    sketch = Sketch()
    names = [sketch.input("x", shape), *([] if axes is None else [sketch.constant("axes", axes)])]
    sketch.node(operator, names, "r", module="m", keepdims=0)
    sketch.node("Neg", ["r"], "y")
    own = [axis % 4 for axis in axes or ()]
    if len(shape) == 4 and own in ([0], [2], [-1 % 4], [0, 1]) and own not in ([1], [0, 1]):
        # What is left would be in TFLite's order: (positions, channels) instead of (channels, positions).
        reason = "it drops axes, and what is left has another order in TFLite's layout"
        assert refused(sketch) == f"m: {operator} 'node_r': {reason}"
    else:
        check(sketch, shape)


def test_what_would_become_an_image_is_refused() -> None:
    sketch = Sketch()
    sketch.node("ReduceSum", [sketch.input("x", (2, *EQUAL)), sketch.constant("axes", [0])], "r", keepdims=0)
    sketch.node("Neg", ["r"], "y")
    reason = "it drops axes, and what is left has another order in TFLite's layout"
    assert refused(sketch) == f"network: ReduceSum 'node_r': {reason}"


@pytest.mark.parametrize("shape", [EQUAL, UNEQUAL, (2, 3, 5), (3, 3, 3)])
@pytest.mark.parametrize("operator", ["GlobalAveragePool", "GlobalMaxPool"])
def test_global_pools(operator: str, shape: tuple[int, ...]) -> None:
    sketch = Sketch()
    sketch.node(operator, [sketch.input("x", shape)], "p")
    sketch.node("Neg", ["p"], "y")
    content = check(sketch, shape)
    name = {"GlobalAveragePool": "MEAN", "GlobalMaxPool": "REDUCE_MAX"}[operator]
    assert counted(content)[name] == 1
    assert vars(options_of(content, name)) == {"keepDims": True}


def test_computed_axes_are_refused() -> None:
    sketch = Sketch()
    sketch.input("x", (2, 3))
    sketch.node("Cast", [sketch.input("a", (1,))], "axes", to=onnx.TensorProto.INT64)
    sketch.node("ReduceSum", ["x", "axes"], "y", module="m", shape=(2, 1))
    assert refused(sketch) == "m: ReduceSum 'node_y': its axes are computed"


@exact_rule
@given(
    shape=st.one_of(IMAGES, st.sampled_from([(2, 5), (3, 3, 3), (2, 3, 1), (1, 1, 6), (2, 3, 3, 3, 3)])),
    axis=st.integers(-2, 1),
    seed=seeds,
)
def test_softmax_along_any_axis(shape: tuple[int, ...], axis: int, seed: int) -> None:
    for own in (axis, axis + 2 if len(shape) == 4 else axis):
        sketch = Sketch()
        sketch.node("Softmax", [sketch.input("x", shape)], "s", axis=own)
        sketch.node("Neg", ["s"], "y")
        content = check(sketch, shape, seed)
        assert options_of(content, "SOFTMAX").beta == 1.0  # type: ignore[attr-defined]


def test_softmax_over_channels_needs_no_transpose() -> None:
    sketch = Sketch()
    sketch.node("Softmax", [sketch.input("x", UNEQUAL)], "s", axis=1)
    sketch.node("Neg", ["s"], "y")
    assert counted(check(sketch, UNEQUAL)) == {"SOFTMAX": 1, "NEG": 1}
    sketch = Sketch()
    sketch.node("Softmax", [sketch.input("x", (2, 4, 1))], "y", axis=1)
    assert counted(check(sketch, (2, 4, 1))) == {"RESHAPE": 2, "SOFTMAX": 1}


@pytest.mark.parametrize("shape", [(5,), (3, 4), (3, 3, 3), (2, 3, 3, 3, 3)])
@pytest.mark.parametrize("axis", [0, -1])
@pytest.mark.parametrize("keep", [0, 1])
def test_the_place_of_the_largest(shape: tuple[int, ...], axis: int, keep: int) -> None:
    sketch = Sketch()
    sketch.node("ArgMax", [sketch.input("x", shape)], "a", module="m", axis=axis, keepdims=keep)
    sketch.node("Cast", ["a"], "y", to=onnx.TensorProto.FLOAT)
    if len(shape) == 5 and not keep:
        assert refused(sketch) == "m: ArgMax 'node_a': it works on an image"
    else:
        check(sketch, shape)


def test_the_place_of_the_largest_of_an_image_is_refused() -> None:
    sketch = Sketch()
    sketch.node("ArgMax", [sketch.input("x", UNEQUAL)], "a", module="m", axis=1)
    sketch.node("Cast", ["a"], "y", to=onnx.TensorProto.FLOAT)
    assert refused(sketch) == "m: ArgMax 'node_a': it works on an image"
