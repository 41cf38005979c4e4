"""Putting replacements in place: names are taken over and stay unique, readers are never left behind."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from condmix.exporters.errors import GraphError
from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.splice import Replacement, Splicer, remove_unused
from tests.exporters.graphs import node_of, operators, produced_by, run
from tests.exporters.sketch import Sketch

X = np.linspace(-2, 2, 6, dtype=np.float32).reshape(1, 6)


def chain() -> ir.Model:
    """x -> Relu a -> Neg b -> Abs y."""
    sketch = Sketch()
    sketch.input("x", X.shape)
    sketch.node("Relu", ["x"], "a", module="m")
    sketch.node("Neg", ["a"], "b", module="m")
    sketch.node("Abs", ["b"], "y", module="m")
    return sketch.model("y")


def scaled(source: ir.Value | None, path: str = "m") -> tuple[NodeBuilder, ir.Value]:
    """source * 2, as new nodes."""
    builder = NodeBuilder(path)
    two = builder.constant(np.array([2.0], dtype=np.float32), "two")
    return builder, builder.one("Mul", [source, two], X.shape)


def replace_one(model: ir.Model, splicer: Splicer, op_type: str) -> ir.Value:
    node = node_of(model, op_type)
    builder, result = scaled(node.inputs[0])
    splicer.apply(Replacement(removed=(node,), results=((node.outputs[0], result),), builder=builder))
    return result


def test_the_result_takes_over_name_and_readers() -> None:
    model = chain()
    old = produced_by(model, "b").outputs[0]
    splicer = Splicer(model.graph)
    new = replace_one(model, splicer, "Neg")
    splicer.finish()
    assert new.name == "b"
    assert old.name == "b/replaced"
    assert node_of(model, "Abs").inputs[0] is new
    assert operators(model) == {"Relu": 1, "Mul": 1, "Abs": 1}
    np.testing.assert_array_equal(run(model, {"x": X})["y"], 2 * np.maximum(X, 0))


def test_an_output_of_the_network_is_taken_over() -> None:
    model = chain()
    splicer = Splicer(model.graph)
    new = replace_one(model, splicer, "Abs")
    splicer.finish()
    assert [value.name for value in model.graph.outputs] == ["y"]
    assert model.graph.outputs[0] is new
    np.testing.assert_array_equal(run(model, {"x": X})["y"], -2 * np.maximum(X, 0))


def test_constants_are_registered_and_all_names_are_unique() -> None:
    model = chain()
    splicer = Splicer(model.graph)
    for op_type in ("Relu", "Neg", "Abs"):
        replace_one(model, splicer, op_type)
    splicer.finish()
    assert sorted(model.graph.initializers) == ["m/two", "m/two_2", "m/two_3"]
    assert [node.name for node in model.graph] == ["m/Mul", "m/Mul_2", "m/Mul_3"]
    assert [node.outputs[0].name for node in model.graph] == ["a", "b", "y"]
    np.testing.assert_array_equal(run(model, {"x": X})["y"], 8 * X)


def test_a_name_that_an_input_or_value_has_is_not_given_again() -> None:
    sketch = Sketch()
    sketch.input("m/two", X.shape)
    sketch.node("Relu", ["m/two"], "m/Mul")
    sketch.node("Neg", ["m/Mul"], "y")
    model = sketch.model("y")
    splicer = Splicer(model.graph)
    node = node_of(model, "Neg")
    builder, inner = scaled(node.inputs[0])
    result = builder.one("Abs", [inner], X.shape)
    splicer.apply(Replacement(removed=(node,), results=((node.outputs[0], result),), builder=builder))
    splicer.finish()
    assert list(model.graph.initializers) == ["m/two_2"]
    assert inner.name == "m/Mul_2"
    np.testing.assert_array_equal(run(model, {"m/two": X})["y"], 2 * np.maximum(X, 0))


def test_an_identity_hands_its_own_name_on() -> None:
    model = chain()
    splicer = Splicer(model.graph)
    node = node_of(model, "Neg")
    assert node.inputs[0] is not None
    splicer.apply(Replacement(removed=(node,), results=((node.outputs[0], node.inputs[0]),)))
    splicer.finish()
    assert [node.outputs[0].name for node in model.graph] == ["a", "y"]
    np.testing.assert_array_equal(run(model, {"x": X})["y"], np.maximum(X, 0))


def test_an_identity_cannot_replace_an_output() -> None:
    model = chain()
    node = node_of(model, "Abs")
    assert node.inputs[0] is not None
    with pytest.raises(GraphError) as caught:
        Splicer(model.graph).apply(Replacement(removed=(node,), results=((node.outputs[0], node.inputs[0]),)))
    assert str(caught.value) == "'y' is a graph output: an identity cannot replace it"


def test_a_reader_left_behind_is_an_error() -> None:
    model = chain()
    relu, neg = node_of(model, "Relu"), node_of(model, "Neg")
    sketch_builder, result = scaled(relu.inputs[0])
    with pytest.raises(GraphError) as caught:
        Splicer(model.graph).apply(
            Replacement(removed=(relu,), results=((neg.outputs[0], result),), builder=sketch_builder)
        )
    assert str(caught.value) == "'a' is still read by ['node_b'] after its replacement"


def test_an_output_left_behind_is_an_error() -> None:
    model = chain()
    node = node_of(model, "Abs")
    with pytest.raises(GraphError) as caught:
        Splicer(model.graph).apply(Replacement(removed=(node,), results=()))
    assert str(caught.value) == "'y' is still read by the graph output after its replacement"


def test_several_nodes_and_results_at_once() -> None:
    sketch = Sketch()
    sketch.input("x", X.shape)
    sketch.node("Relu", ["x"], "a")
    sketch.node("Neg", ["a"], "b")
    sketch.node("Abs", ["a"], "c")
    sketch.node("Add", ["b", "c"], "y")
    model = sketch.model("y")
    nodes = [node_of(model, op_type) for op_type in ("Relu", "Neg", "Abs")]
    builder = NodeBuilder("n")
    source = nodes[0].inputs[0]
    first, second = builder.one("Sin", [source], X.shape), builder.one("Cos", [source], X.shape)
    splicer = Splicer(model.graph)
    results = ((nodes[1].outputs[0], first), (nodes[2].outputs[0], second))
    splicer.apply(Replacement(removed=tuple(nodes), results=results, builder=builder))
    splicer.finish()
    assert (first.name, second.name) == ("b", "c")
    np.testing.assert_allclose(run(model, {"x": X})["y"], np.sin(X) + np.cos(X), rtol=1e-6)


def test_finish_restores_the_order_and_drops_what_nothing_reads() -> None:
    sketch = Sketch()
    sketch.input("x", X.shape)
    sketch.node("Relu", ["x"], "a")
    sketch.node("Neg", ["a"], "early")
    sketch.node("Abs", ["a"], "late")
    sketch.node("Add", ["early", "late"], "y")
    model = sketch.model("y")
    early, late = produced_by(model, "early"), produced_by(model, "late")
    # The replacement of the earlier node reads the later one.
    builder, result = scaled(late.outputs[0])
    splicer = Splicer(model.graph)
    splicer.apply(Replacement(removed=(early,), results=((early.outputs[0], result),), builder=builder))
    splicer.finish()
    assert [node.op_type for node in model.graph] == ["Relu", "Abs", "Mul", "Add"]
    np.testing.assert_array_equal(run(model, {"x": X})["y"], 3 * np.maximum(X, 0))


def test_unused_nodes_and_constants_go_in_chains() -> None:
    sketch = Sketch()
    sketch.input("x", X.shape)
    two = sketch.constant("two", np.full(1, 2.0, dtype=np.float32))
    sketch.node("Mul", ["x", two], "a")
    sketch.node("Neg", ["a"], "b")
    sketch.node("Abs", ["x"], "y")
    sketch.constant("alone", np.zeros(1, dtype=np.float32))
    model = sketch.model("y")
    remove_unused(model.graph)
    assert operators(model) == {"Abs": 1}
    assert list(model.graph.initializers) == []
