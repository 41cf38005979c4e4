"""Constants are folded and lifted, shapes known, names kept, and nothing is printed."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from condmix.exporters import simplify as module
from condmix.exporters.errors import GraphError
from condmix.exporters.graph.facts import static_shape
from condmix.exporters.simplify import simplify
from tests.exporters.graphs import operators, run
from tests.exporters.sketch import Sketch

X = np.linspace(-1, 1, 6, dtype=np.float32).reshape(1, 6)


def foldable() -> Sketch:
    """y = relu(x) * (2 + 1), where the sum is computed in the graph from a node and an initializer."""
    sketch = Sketch()
    sketch.input("x", X.shape)
    sketch.node("Relu", ["x"], "active")
    sketch.node("Constant", [], "one", value_float=1.0)
    sketch.node("Add", [sketch.constant("two", 2.0), "one"], "three")
    sketch.node("Mul", ["active", "three"], "y")
    return sketch


def test_constants_are_folded_and_nothing_changes(capfd: pytest.CaptureFixture[str]) -> None:
    model = foldable().model("y")
    simple = simplify(model)
    assert operators(simple) == {"Relu": 1, "Mul": 1}
    np.testing.assert_array_equal(run(simple, {"x": X})["y"], 3 * np.maximum(X, 0))
    assert capfd.readouterr() == ("", "")


def test_remaining_values_keep_their_names_and_have_shapes() -> None:
    simple = simplify(foldable().model("y"))
    outputs = [output for node in simple.graph for output in node.outputs]
    assert [output.name for output in outputs] == ["active", "y"]
    assert [static_shape(output) for output in outputs] == [(1, 6), (1, 6)]


def test_every_constant_is_an_initializer() -> None:
    sketch = Sketch()
    sketch.input("x", X.shape)
    sketch.node("Constant", [], "shape", value_ints=[2, 3])
    sketch.node("Reshape", ["x", "shape"], "y")
    simple = simplify(sketch.model("y"))
    assert operators(simple) == {"Reshape": 1}
    target = next(iter(simple.graph)).inputs[1]
    assert target is not None
    assert target.is_initializer()


def test_the_graph_given_is_left_alone() -> None:
    model = foldable().model("y")
    before = ir.to_proto(model).SerializeToString(deterministic=True)
    simplify(model)
    assert ir.to_proto(model).SerializeToString(deterministic=True) == before


def test_an_invalid_result_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails_its_check(proto: onnx.ModelProto, check_n: int) -> tuple[onnx.ModelProto, bool]:
        del check_n
        return proto, False

    monkeypatch.setattr(module.onnxsim, "simplify", fails_its_check)
    with pytest.raises(GraphError) as caught:
        simplify(foldable().model("y"))
    assert str(caught.value) == ("onnxsim returned a model that fails its own check: expected an equal, valid model")
