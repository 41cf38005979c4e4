"""Elementwise operators equal ONNX Runtime's, whatever the layout of their operands."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.errors import NotExportableError
from condmix.exporters.tflite.arithmetic import clip_bounds
from tests.exporters.conv_cases import exact_rule, seeds
from tests.exporters.graphs import node_of, run
from tests.exporters.sketch import Sketch
from tests.exporters.tflite.running import assert_as_in_onnx, assert_file_gives, counted, open_file, results, written

BINARY = ["Add", "Sub", "Mul", "Div", "Max", "Min", "Sum"]
IMAGE = (2, 3, 4, 5)


def numbers(shape: tuple[int, ...], seed: int = 0, *, positive: bool = False) -> np.ndarray:
    array = np.random.default_rng(seed).standard_normal(shape)
    # Away from zero, for divisions.
    return np.asarray(np.abs(array) + 0.5 if positive else array, dtype=np.float32)


@exact_rule
@given(
    operator=st.sampled_from(BINARY),
    ones=st.tuples(*[st.booleans()] * 4),
    rank=st.integers(0, 4),
    first=st.booleans(),
    seed=seeds,
)
def test_an_image_with_a_constant_of_any_rank(
    operator: str, ones: tuple[bool, ...], rank: int, first: bool, seed: int
) -> None:
    shape = tuple(1 if one else length for one, length in zip(ones, IMAGE, strict=True))[4 - rank :]
    sketch = Sketch()
    names = [sketch.input("x", IMAGE), sketch.constant("c", numbers(shape, seed, positive=True))]
    sketch.node(operator, names[::-1] if first else names, "y")
    assert_as_in_onnx(sketch.model("y"), {"x": numbers(IMAGE, seed + 1, positive=True)})


@exact_rule
@given(operator=st.sampled_from(BINARY), ones=st.tuples(*[st.booleans()] * 4), rank=st.sampled_from([2, 3, 4, 5]))
def test_two_computed_operands_that_broadcast(operator: str, ones: tuple[bool, ...], rank: int) -> None:
    whole = (2, *IMAGE)[5 - rank :]
    shape = tuple(1 if one else length for one, length in zip((*ones, False)[:rank], whole, strict=True))
    sketch = Sketch()
    names = [sketch.input("a", whole), sketch.input("b", shape)]
    sketch.node(operator, names, "y")
    feeds = {"a": numbers(whole, positive=True), "b": numbers(shape, 1, positive=True)}
    assert_as_in_onnx(sketch.model("y"), feeds)


def test_a_sum_of_three_with_an_activation_at_its_end() -> None:
    sketch = Sketch()
    names = [sketch.input(name, IMAGE) for name in "abc"]
    sketch.node("Sum", names, "s")
    sketch.node("Relu", ["s"], "y")
    content = assert_as_in_onnx(sketch.model("y"), {name: numbers(IMAGE, ord(name)) for name in names})
    assert counted(content) == {"ADD": 2, "RELU": 1}


@pytest.mark.parametrize("operator", ["Add", "Sub", "Mul", "Div"])
@pytest.mark.parametrize("bounds", [None, (0.0, 6.0)])
def test_activations_ride_in_the_operator_before(operator: str, bounds: tuple[float, float] | None) -> None:
    sketch = Sketch()
    names = [sketch.input("a", IMAGE), sketch.input("b", IMAGE)]
    sketch.node(operator, names, "s")
    if bounds is None:
        sketch.node("Relu", ["s"], "y")
    else:
        sketch.node("Clip", ["s", *(sketch.constant(f"c{bound}", bound) for bound in bounds)], "y")
    feeds = {"a": 5 * numbers(IMAGE), "b": 5 * numbers(IMAGE, 1)}
    assert counted(assert_as_in_onnx(sketch.model("y"), feeds)).total() == 1


@pytest.mark.parametrize("shape", [IMAGE, (2, 7)])
@pytest.mark.parametrize(
    ("operator", "attributes"),
    [
        ("Relu", {}), ("Sigmoid", {}), ("Tanh", {}), ("Exp", {}), ("Neg", {}), ("Abs", {}), ("Elu", {}),
        ("HardSwish", {}), ("HardSigmoid", {}), ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
        ("LeakyRelu", {}), ("LeakyRelu", {"alpha": 0.3}),
    ],
)  # fmt: skip
def test_activations(operator: str, attributes: dict[str, float], shape: tuple[int, ...]) -> None:
    sketch = Sketch()
    sketch.node(operator, [sketch.input("x", shape)], "y", **attributes)
    assert_as_in_onnx(sketch.model("y"), {"x": 3 * numbers(shape)})


@pytest.mark.parametrize("operator", ["Sqrt", "Reciprocal"])
def test_operators_of_positive_numbers(operator: str) -> None:
    sketch = Sketch()
    sketch.node(operator, [sketch.input("x", IMAGE)], "y")
    assert_as_in_onnx(sketch.model("y"), {"x": numbers(IMAGE, positive=True)})


def test_a_power() -> None:
    sketch = Sketch()
    sketch.node("Pow", [sketch.input("x", IMAGE), sketch.constant("e", 1.5)], "y")
    assert_as_in_onnx(sketch.model("y"), {"x": numbers(IMAGE, positive=True)})


@pytest.mark.parametrize(
    ("low", "high", "written_as"),
    [
        (0.0, 6.0, {"RELU6": 1}),
        (0.0, None, {"RELU": 1}),
        (None, 1.0, {"MINIMUM": 1}),
        (-1.0, 1.0, {"MAXIMUM": 1, "MINIMUM": 1}),
        (-0.5, None, {"MAXIMUM": 1}),
        (0.0, 1.0, {"MAXIMUM": 1, "MINIMUM": 1}),
    ],
)
def test_clips(low: float | None, high: float | None, written_as: dict[str, int]) -> None:
    sketch = Sketch()
    names = ["" if bound is None else sketch.constant(f"bound{bound}", bound) for bound in (low, high)]
    sketch.node("Clip", [sketch.input("x", IMAGE), *names], "y")
    model = sketch.model("y")
    assert clip_bounds(node_of(model, "Clip")) == (-np.inf if low is None else low, np.inf if high is None else high)
    assert counted(assert_as_in_onnx(model, {"x": 4 * numbers(IMAGE)})) == written_as


def test_a_clip_without_bounds_changes_nothing() -> None:
    sketch = Sketch()
    sketch.node("Clip", [sketch.input("x", (2, 3))], "c")
    sketch.node("Neg", ["c"], "y")
    assert counted(assert_as_in_onnx(sketch.model("y"), {"x": numbers((2, 3))})) == {"NEG": 1}


@pytest.mark.parametrize("before", ["Add", "Neg"])
def test_a_clip_with_computed_bounds_is_refused_by_name(before: str) -> None:
    sketch = Sketch()
    names = [sketch.input("x", IMAGE), sketch.input("b", ())]
    sketch.node(before, ["x", "x"] if before == "Add" else ["x"], "s", module="one")
    sketch.node("Clip", ["s", "", names[1]], "y", module="two")
    with pytest.raises(NotExportableError) as refusal:
        written(sketch.model("y"))
    assert refusal.value.problems == ("two: Clip 'node_y': its bounds are computed",)


def chosen(shape: tuple[int, ...], index: np.ndarray) -> ir.Model:
    """One where x, as an integer, equals the index."""
    sketch = Sketch()
    x = sketch.input("x", shape)
    sketch.node("Cast", [x], "whole", to=onnx.TensorProto.INT64)
    sketch.node("Equal", ["whole", sketch.constant("index", index)], "same")
    sketch.node("Cast", ["same"], "y", to=onnx.TensorProto.FLOAT)
    return sketch.model("y")


@pytest.mark.parametrize("index_shape", [(1,), (3, 1, 1), (1, 3, 3, 1), (3,)])
def test_comparisons_and_casts_of_images_keep_channels_apart(index_shape: tuple[int, ...]) -> None:
    # All lengths are three: a comparison along the wrong axis would have the right shape.
    x = np.arange(27, dtype=np.float32).reshape(1, 3, 3, 3) % 5
    index = np.arange(np.prod(index_shape)).reshape(index_shape)
    content = assert_as_in_onnx(chosen((1, 3, 3, 3), index), {"x": x})
    assert run(chosen((1, 3, 3, 3), index), {"x": x})["y"].any()
    assert counted(content) == {"CAST": 2, "EQUAL": 1}


def test_whole_numbers_stay_whole() -> None:
    sketch = Sketch()
    x = sketch.input("x", (2, 5))
    sketch.node("Cast", [x], "whole", to=onnx.TensorProto.INT64)
    sketch.node("Add", ["whole", sketch.constant("two", np.asarray([[2]]))], "more")
    sketch.node("Neg", ["more"], "negative")
    sketch.node("Concat", ["negative", "whole"], "both", axis=1)
    sketch.node("Cast", ["both"], "y", to=onnx.TensorProto.FLOAT)
    values = np.asarray([[0, 1.9, 2, -3, 7], [4, 4, 4.2, 1, -1.5]], dtype=np.float32)
    assert_as_in_onnx(sketch.model("y"), {"x": values})


def test_a_cast_to_a_type_of_its_own_is_refused() -> None:
    sketch = Sketch()
    sketch.node("Cast", [sketch.input("x", (2, 5))], "half", to=onnx.TensorProto.FLOAT16)
    sketch.node("Cast", ["half"], "y", to=onnx.TensorProto.FLOAT)
    with pytest.raises(NotExportableError, match="a cast to FLOAT16 is not supported"):
        written(sketch.model("y"))


@pytest.mark.parametrize("operator", ["Add", "Equal"])
def test_operands_of_different_layouts_are_refused(operator: str) -> None:
    sketch = Sketch()
    names = [sketch.input("a", (1, 3, 3, 3)), sketch.input("b", (3, 1, 1))]
    sketch.node(operator, names, "s", module="m")
    sketch.node("Cast", ["s"], "y", to=onnx.TensorProto.FLOAT)
    with pytest.raises(NotExportableError) as refusal:
        written(sketch.model("y"))
    reason = "operands of four and of another number of axes are combined"
    assert refusal.value.problems == (f"m: {operator} 'node_s': {reason}",)


def test_the_comparison_of_these_tests_can_fail() -> None:
    sketch = Sketch()
    sketch.node("Neg", [sketch.input("x", (2, 3))], "y")
    content = written(sketch.model("y"))
    x = numbers((2, 3))
    np.testing.assert_array_equal(results(open_file(content), {"x": x})["y"], -x)
    with pytest.raises(AssertionError, match="y is off by"):
        assert_file_gives(content, {"x": x}, {"y": x})
