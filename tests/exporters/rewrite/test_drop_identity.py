"""What hands its input through disappears; what only looks like it stays."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from condmix.exporters.rewrite.drop_identity import DropIdentity
from tests.exporters.graphs import operators, rewrite, run
from tests.exporters.sketch import Sketch

X = np.arange(-16, 16, dtype=np.float32).reshape(1, 2, 4, 4)
RULE = DropIdentity()

Case = tuple[str, list[object], dict[str, object]]
"""Operator, its further inputs, its attributes."""

HANDED_THROUGH: dict[str, Case] = {
    "identity": ("Identity", [], {}),
    "dropout": ("Dropout", [], {}),
    "cast to its own type": ("Cast", [], {"to": onnx.TensorProto.FLOAT}),
    "concat of one": ("Concat", [], {"axis": 1}),
    "pad by nothing": ("Pad", [[0] * 8], {}),
    "transpose in order": ("Transpose", [], {"perm": [0, 1, 2, 3]}),
    "slice of everything": ("Slice", [[0], [99], [1]], {}),
    "slice of everything with steps": ("Slice", [[0, 0], [4, 4], [2, 3], [1, 1]], {}),
    "slice of the only image": ("Slice", [[0], [1], [0]], {}),
    "reshape to the same": ("Reshape", [[1, 2, 4, -1]], {}),
    "expand to the same": ("Expand", [[1, 2, 1, 1]], {}),
}

KEPT: dict[str, Case] = {
    "cast": ("Cast", [], {"to": onnx.TensorProto.DOUBLE}),
    "reversal": ("Slice", [[-1], [-99], [3], [-1]], {}),
    "pad": ("Pad", [[0, 0, 0, 0, 0, 0, 0, 1]], {}),
    "transpose of equal sizes": ("Transpose", [], {"perm": [0, 1, 3, 2]}),
    "transpose in reverse": ("Transpose", [], {}),
    "slice": ("Slice", [[0], [1], [1]], {}),
    "reshape": ("Reshape", [[2, 16]], {}),
    "expand": ("Expand", [[3, 2, 4, 4]], {}),
    "flatten": ("Flatten", [], {"axis": 1}),
}


def sketch_with(case: Case) -> Sketch:
    """x -> Relu `before` -> the node -> Neg y, or Cast back and Neg."""
    op_type, inputs, attributes = case
    sketch = Sketch()
    sketch.input("x", X.shape)
    sketch.node("Relu", ["x"], "before")
    names = [sketch.constant(f"c{index}", content) for index, content in enumerate(inputs)]  # type: ignore[arg-type]
    sketch.node(op_type, ["before", *names], "middle", module="block", **attributes)
    return sketch


@pytest.mark.parametrize("case", HANDED_THROUGH.values(), ids=HANDED_THROUGH)
def test_it_disappears_and_not_a_bit_changes(case: Case) -> None:
    sketch = sketch_with(case)
    sketch.node("Neg", ["middle"], "y")
    model = sketch.model("y")
    before = run(model, {"x": X})["y"]
    (step,) = rewrite(model, RULE)
    assert (step.rule, step.path, step.applied) == ("drop_identity", "block", True)
    assert operators(model) == {"Relu": 1, "Neg": 1}
    assert list(model.graph.initializers) == []
    np.testing.assert_array_equal(before, run(model, {"x": X})["y"])


@pytest.mark.parametrize("case", KEPT.values(), ids=KEPT)
def test_what_changes_something_stays(case: Case) -> None:
    sketch = sketch_with(case)
    sketch.node("Cast", ["middle"], "middle32", to=onnx.TensorProto.FLOAT)
    sketch.node("Neg", ["middle32"], "y")
    model = sketch.model("y")
    before = run(model, {"x": X})["y"]
    rewrite(model, RULE)
    assert operators(model)[case[0]] >= 1
    np.testing.assert_array_equal(before, run(model, {"x": X})["y"])


def test_a_flatten_of_two_axes_disappears() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 5))
    sketch.node("Flatten", ["x"], "flat")
    sketch.node("Neg", ["flat"], "y")
    model = sketch.model("y")
    rewrite(model, RULE)
    assert operators(model) == {"Neg": 1}


def test_the_result_of_the_network_keeps_its_node() -> None:
    sketch = Sketch()
    sketch.input("x", X.shape)
    sketch.node("Identity", ["x"], "y")
    model = sketch.model("y")
    assert rewrite(model, RULE) == ()
    assert operators(model) == {"Identity": 1}
    np.testing.assert_array_equal(run(model, {"x": X})["y"], X)


def test_a_dropout_whose_mask_is_read_stays() -> None:
    sketch = Sketch()
    sketch.input("x", X.shape)
    sketch.node("Dropout", ["x"], ["middle", "mask"])
    sketch.node("Where", ["mask", "middle", "x"], "y")
    model = sketch.model("y")
    assert rewrite(model, RULE) == ()
    assert operators(model) == {"Dropout": 1, "Where": 1}


def test_a_concat_of_two_stays() -> None:
    sketch = Sketch()
    sketch.input("x", X.shape)
    sketch.node("Concat", ["x", "x"], "middle", axis=1)
    sketch.node("Neg", ["middle"], "y")
    model = sketch.model("y")
    assert rewrite(model, RULE) == ()


def test_chains_disappear_whole() -> None:
    sketch = Sketch()
    sketch.input("x", X.shape)
    sketch.node("Identity", ["x"], "a")
    sketch.node("Identity", ["a"], "b")
    sketch.node("Dropout", ["b"], "c")
    sketch.node("Add", ["c", "a"], "y")
    model = sketch.model("y")
    assert len(rewrite(model, RULE)) == 3
    assert operators(model) == {"Add": 1}
    np.testing.assert_array_equal(run(model, {"x": X})["y"], 2 * X)
