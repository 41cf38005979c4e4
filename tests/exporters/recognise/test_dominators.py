"""The bottlenecks of a computation, on graphs drawn by hand."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from condmix.exporters.recognise.dominators import dominators, input_dependent, node_positions
from tests.exporters.graphs import produced_by
from tests.exporters.sketch import Sketch


def value_named(model: ir.Model, name: str) -> ir.Value:
    if any(value.name == name for value in model.graph.inputs):
        return next(value for value in model.graph.inputs if value.name == name)
    return next(value for value in produced_by(model, name).outputs if value.name == name)


def names(model: ir.Model, *targets: str) -> list[str | None]:
    found = dominators(
        [value_named(model, name) for name in targets], node_positions(model.graph), input_dependent(model.graph)
    )
    return [value.name for value in found]


def test_on_a_chain_every_value_is_one_nearest_first() -> None:
    sketch = Sketch()
    sketch.input("x", (2,))
    sketch.node("Relu", ["x"], "a")
    sketch.node("Neg", ["a"], "b")
    sketch.node("Abs", ["b"], "y")
    assert names(sketch.model("y"), "y") == ["y", "b", "a", "x"]


def test_two_ways_round_leave_out_what_lies_on_one_of_them() -> None:
    sketch = Sketch()
    sketch.input("x", (2,))
    sketch.node("Relu", ["x"], "a")
    sketch.node("Neg", ["a"], "left")
    sketch.node("Abs", ["a"], "right")
    sketch.node("Exp", ["right"], "right2")
    sketch.node("Add", ["left", "right2"], "y")
    assert names(sketch.model("y"), "y") == ["y", "a", "x"]


def test_a_bypass_of_the_vector_leaves_only_what_feeds_both() -> None:
    sketch = Sketch()
    sketch.input("x", (2,))
    sketch.node("Sigmoid", ["x"], "r")
    sketch.node("Neg", ["r"], "kernel")
    sketch.node("Add", ["kernel", "x"], "y")
    assert names(sketch.model("y"), "y") == ["y", "x"]


def test_two_targets_share_the_vector_behind_both() -> None:
    sketch = Sketch()
    sketch.input("x", (2,))
    sketch.node("Sigmoid", ["x"], "r")
    sketch.node("Neg", ["r"], "kernel")
    sketch.node("Abs", ["r"], "bias")
    assert names(sketch.model("kernel", "bias"), "kernel", "bias") == ["r", "x"]


def test_constants_are_no_way_from_the_input() -> None:
    sketch = Sketch()
    sketch.input("x", (2,))
    bank = sketch.constant("bank", np.ones(2, dtype=np.float32))
    sketch.node("Exp", [bank], "computed from constants")
    sketch.node("Sigmoid", ["x"], "r")
    sketch.node("Mul", ["r", "computed from constants"], "kernel")
    model = sketch.model("kernel")
    assert names(model, "kernel") == ["kernel", "r", "x"]
    dependent = {value.name for value in input_dependent(model.graph)}
    assert dependent == {"x", "r", "kernel"}


def test_a_target_of_constants_has_none() -> None:
    sketch = Sketch()
    sketch.input("x", (2,))
    sketch.node("Exp", [sketch.constant("bank", np.ones(2, dtype=np.float32))], "kernel")
    sketch.node("Add", ["x", "kernel"], "y")
    assert names(sketch.model("y"), "kernel") == []


def test_two_inputs_have_no_common_one() -> None:
    sketch = Sketch()
    sketch.input("x", (2,))
    sketch.input("z", (2,))
    sketch.node("Add", ["x", "z"], "y")
    assert names(sketch.model("y"), "y") == ["y"]


def test_several_outputs_of_one_node_meet_again_in_its_input() -> None:
    sketch = Sketch()
    sketch.input("x", (4,))
    sketch.node("Sigmoid", ["x"], "r")
    sketch.node("Split", ["r", sketch.constant("sizes", [1, 3])], ["one", "three"], axis=0)
    sketch.node("Mul", ["one", "three"], "y")
    assert names(sketch.model("y"), "y") == ["y", "r", "x"]


def test_positions_follow_the_graph() -> None:
    sketch = Sketch()
    sketch.input("x", (2,))
    sketch.node("Relu", ["x"], "a")
    sketch.node("Neg", ["a"], "y")
    model = sketch.model("y")
    positions = node_positions(model.graph)
    assert [positions[produced_by(model, name)] for name in ("a", "y")] == [0, 1]
