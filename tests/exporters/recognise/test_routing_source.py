"""The narrowest value behind several weights, and how they come from it."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from condmix.exporters.recognise.dominators import input_dependent, node_positions
from condmix.exporters.recognise.mixture import LARGEST_ROUTING
from condmix.exporters.recognise.routing_source import RoutingSource, find_routing_source
from tests.exporters.graphs import produced_by, run
from tests.exporters.sketch import Sketch


def source_of(model: ir.Model, *names: str) -> RoutingSource:
    weights = [produced_by(model, name).outputs[0] for name in names]
    return find_routing_source(model, weights, node_positions(model.graph), input_dependent(model.graph))


def gates() -> Sketch:
    """image (1, 3) -> r = sigmoid -> first = r[:, 0:1], rest = 2 - r[:, 1:3]; other = tanh of first."""
    sketch = Sketch()
    sketch.input("image", (1, 3))
    sketch.node("Sigmoid", ["image"], "r")
    sketch.node("Split", ["r", sketch.constant("sizes", [1, 2])], ["first", "second"], axis=1)
    sketch.node("Sub", [sketch.constant("two", 2.0), "second"], "rest")
    sketch.node("Tanh", ["first"], "other")
    sketch.node("Concat", ["first", "rest", "other"], "y", axis=1)
    return sketch


def test_the_routing_behind_its_parts_is_found_and_the_parts_are_affine_in_it() -> None:
    model = gates().model("y", "r", "first", "rest")
    source = source_of(model, "first", "rest")
    assert [value.name for value in source.values] == ["r"]
    seen = run(model, {"image": np.array([[0.3, -1.0, 2.0]], dtype=np.float32)})
    expected = np.concatenate([seen["first"][0], seen["rest"][0]])
    np.testing.assert_allclose(source.weights(seen["r"][0].astype(np.float64)), expected, atol=1e-6)


def test_weights_without_a_common_source_have_one_each() -> None:
    model = gates().model("y", "first", "other")
    source = source_of(model, "other", "rest")
    # Of `rest` alone, its own two numbers are narrower than the routing of three.
    assert [value.name for value in source.values] == ["other", "second"]
    assert source.size == 3
    np.testing.assert_allclose(source.weights(np.array([0.5, 0.25, 1.5])), [0.5, 1.75, 0.5], atol=1e-6)


def test_a_value_that_is_a_weight_and_the_source_of_another() -> None:
    sketch = Sketch()
    sketch.input("image", (1, 1))
    sketch.node("Sigmoid", ["image"], "gate")
    sketch.node("Sub", [sketch.constant("one", 1.0), "gate"], "rest")
    sketch.node("Add", ["gate", "rest"], "y")
    source = source_of(sketch.model("y"), "gate", "rest")
    assert [value.name for value in source.values] == ["gate"]
    np.testing.assert_allclose(source.weights(np.array([0.25])), [0.25, 0.75], atol=1e-7)


def test_a_wide_value_is_its_own_source() -> None:
    sketch = Sketch()
    sketch.input("image", (1, LARGEST_ROUTING + 1))
    sketch.node("Sigmoid", ["image"], "y")
    source = source_of(sketch.model("y"), "y")
    assert (source.values[0].name, source.size) == ("y", LARGEST_ROUTING + 1)
