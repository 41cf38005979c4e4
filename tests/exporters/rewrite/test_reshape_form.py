"""All shape changes that keep the order of elements become one Reshape, bit for bit."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.graph.facts import constant_ints
from condmix.exporters.rewrite.drop_identity import DropIdentity
from condmix.exporters.rewrite.reshape_form import ReshapeForm
from tests.exporters.conv_cases import exact_rule
from tests.exporters.graphs import node_of, operators, rewrite, run
from tests.exporters.sketch import Sketch

RULE = ReshapeForm()


@st.composite
def chains(draw: st.DrawFn) -> tuple[tuple[int, ...], list[tuple[str, object]]]:
    """A shape and up to four order-keeping shape changes of it."""
    shape = tuple(draw(st.lists(st.sampled_from([1, 1, 2, 3]), min_size=1, max_size=4)))
    start = shape
    steps: list[tuple[str, object]] = []
    for _ in range(draw(st.integers(1, 4))):
        ones = [axis for axis, size in enumerate(shape) if size == 1]
        kind = draw(
            st.sampled_from(
                ["Reshape", "Unsqueeze", "Flatten", *["Transpose"] * bool(shape), *["Squeeze"] * bool(ones)]
            )
        )
        if kind == "Reshape":
            total = int(np.prod(shape))
            first = draw(st.sampled_from([size for size in range(1, total + 1) if total % size == 0]))
            shape = (first, total // first)
            steps.append((kind, shape))
        elif kind == "Unsqueeze":
            axis = draw(st.integers(0, len(shape)))
            shape = (*shape[:axis], 1, *shape[axis:])
            steps.append((kind, (axis,)))
        elif kind == "Flatten":
            axis = draw(st.integers(0, len(shape)))
            shape = (int(np.prod(shape[:axis])), int(np.prod(shape[axis:])))
            steps.append((kind, axis))
        elif kind == "Squeeze":
            axis = draw(st.sampled_from(ones))
            shape = (*shape[:axis], *shape[axis + 1 :])
            steps.append((kind, (axis,)))
        else:
            order = [axis for axis, size in enumerate(shape) if size > 1]
            for axis in draw(st.permutations(ones)):
                order.insert(draw(st.integers(0, len(order))), axis)
            shape = tuple(shape[axis] for axis in order)
            steps.append((kind, tuple(order)))
    return start, steps


def chain_model(start: tuple[int, ...], steps: list[tuple[str, object]]) -> ir.Model:
    sketch = Sketch()
    sketch.input("x", start)
    last = sketch.node("Neg", ["x"], "first")
    for index, (kind, argument) in enumerate(steps):
        output = f"value{index}"
        if kind == "Transpose":
            last = sketch.node(kind, [last], output, perm=argument)
        elif kind == "Flatten":
            last = sketch.node(kind, [last], output, axis=argument)
        else:
            numbers = sketch.constant(f"numbers{index}", argument)  # type: ignore[arg-type]
            last = sketch.node(kind, [last, numbers], output)
    sketch.node("Abs", [last], "y")
    return sketch.model("y")


@exact_rule
@given(case=chains())
def test_a_chain_becomes_one_reshape_or_none(case: tuple[tuple[int, ...], list[tuple[str, object]]]) -> None:
    model = chain_model(*case)
    x = np.arange(np.prod(case[0]), dtype=np.float32).reshape(case[0])
    before = run(model, {"x": x})["y"]
    rewrite(model, DropIdentity(), RULE)
    kinds = operators(model)
    assert set(kinds) <= {"Neg", "Abs", "Reshape"}
    assert kinds["Reshape"] == (case[0] != before.shape)
    np.testing.assert_array_equal(before, run(model, {"x": x})["y"])


def test_the_target_is_written_in_numbers() -> None:
    model = chain_model((1, 3, 2), [("Flatten", 1), ("Unsqueeze", (0,))])
    rewrite(model, RULE)
    assert constant_ints(node_of(model, "Reshape").inputs[1]) == (1, 1, 6)


def test_a_transpose_that_moves_elements_stays() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 2, 3))
    sketch.node("Transpose", ["x"], "y", perm=[0, 2, 1])
    model = sketch.model("y")
    assert rewrite(model, RULE) == ()
    assert operators(model) == {"Transpose": 1}


def test_a_single_reshape_is_already_the_form() -> None:
    model = chain_model((1, 6), [("Reshape", (2, 3))])
    assert rewrite(model, RULE) == ()


def test_a_reshape_read_twice_serves_both_readers() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 6))
    sketch.node("Reshape", ["x", sketch.constant("s", [2, 3])], "a")
    sketch.node("Flatten", ["a"], "b", axis=0)
    sketch.node("Neg", ["a"], "y")
    sketch.node("Neg", ["b"], "z")
    model = sketch.model("y", "z")
    x = np.arange(6, dtype=np.float32).reshape(1, 6)
    rewrite(model, RULE)
    assert operators(model) == {"Reshape": 2, "Neg": 2}
    result = run(model, {"x": x})
    np.testing.assert_array_equal(result["y"], -x.reshape(2, 3))
    np.testing.assert_array_equal(result["z"], -x)


def test_integers_stay_integers() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 6), element_type=onnx.TensorProto.INT64)
    sketch.node("Squeeze", ["x", sketch.constant("axes", [0])], "flat")
    sketch.node("Cast", ["flat"], "y", to=onnx.TensorProto.FLOAT)
    model = sketch.model("y")
    rewrite(model, RULE)
    assert node_of(model, "Reshape").outputs[0].dtype == ir.DataType.INT64
    np.testing.assert_array_equal(run(model, {"x": np.arange(6).reshape(1, 6)})["y"], np.arange(6))
