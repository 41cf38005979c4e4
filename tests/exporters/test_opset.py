"""Other operator sets: the same function, or a list of the operators that have no equal."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from condmix.exporters.errors import NotExportableError
from condmix.exporters.graph.facts import MODULE_KEY, constant_ints
from condmix.exporters.opset import convert_opset
from condmix.exporters.options import NEWEST_OPSET
from tests.exporters.graphs import attributes_of, node_of, operators, run
from tests.exporters.sketch import Sketch

X = np.random.default_rng(0).standard_normal((1, 4, 5, 6)).astype(np.float32)


def changed_operators(sketch: Sketch | None = None) -> Sketch:
    """Split, Pad with and without axes, and reductions: what changed in opset 18, with x of (1, 4, 5, 6)."""
    sketch = sketch or Sketch()
    sketch.input("x", X.shape)
    sketch.node("Split", ["x", sketch.constant("sizes", [1, 3])], ["low", "high"], module="m.split", axis=1)
    sketch.node("Pad", ["high", sketch.constant("two", [1, 2, 0, 1]), "", sketch.constant("last", [-1, 2])], "padded")
    sketch.node("Pad", ["low", sketch.constant("all", [0, 0, 0, 1, 0, 0, 0, 2])], "wide")
    sketch.node("ReduceMean", ["padded", sketch.constant("spatial", [2, 3])], "mean", keepdims=1)
    sketch.node("ReduceMax", ["wide", sketch.constant("width", [-1])], "peak", keepdims=1)
    sketch.node("ReduceMean", ["peak"], "everything", keepdims=1)
    sketch.node("Add", ["mean", "everything"], "y", module="m.sum")
    return sketch


@pytest.mark.parametrize("opset", [17, 18, 19, 20, 21, 22, 23, NEWEST_OPSET])
def test_the_function_is_the_same_in_every_operator_set(opset: int) -> None:
    before = run(changed_operators().model("y"), {"x": X})["y"]
    model = convert_opset(changed_operators().model("y"), opset)
    assert model.opset_imports[""] == opset
    np.testing.assert_allclose(run(model, {"x": X})["y"], before, rtol=1e-6)


@pytest.mark.parametrize("opset", [17, 18, 21])
def test_modules_are_remembered(opset: int) -> None:
    model = convert_opset(changed_operators().model("y"), opset)
    assert node_of(model, "Split").metadata_props[MODULE_KEY] == "m.split"
    assert node_of(model, "Add").metadata_props[MODULE_KEY] == "m.sum"


def test_the_older_forms() -> None:
    model = convert_opset(changed_operators().model("y"), 17)
    assert attributes_of(node_of(model, "ReduceMean"))["axes"] == (2, 3)
    assert attributes_of(node_of(model, "ReduceMax"))["axes"] == (-1,)
    assert "axes" not in node_of(model, "ReduceMean", 1).attributes
    assert all(len(node.inputs) == 1 for node in model.graph if node.op_type.startswith("Reduce"))
    pad = node_of(model, "Pad")
    assert len(pad.inputs) == 3
    assert constant_ints(pad.inputs[1]) == (0, 0, 2, 1, 0, 0, 1, 0)
    assert {"spatial", "width", "last", "two"}.isdisjoint(model.graph.initializers)


def test_the_same_operator_set_is_the_same_model() -> None:
    model = changed_operators().model("y")
    assert convert_opset(model, 18) is model


def test_operators_without_an_equal_are_all_named() -> None:
    sketch = Sketch()
    sketch.input("x", X.shape)
    sketch.input("axes", (2,), element_type=onnx.TensorProto.INT64)
    sketch.node("Split", ["x"], ["low", "high"], module="a", axis=1, num_outputs=2)
    sketch.node("ReduceMean", ["low", "axes"], "mean", module="b", keepdims=1, shape=(1, 2, 1, 1))
    sketch.node("Resize", ["high", "", sketch.constant("scales", np.ones(4, dtype=np.float32))], "same", antialias=1)
    sketch.node("Add", ["mean", "same"], "y", module="c")
    with pytest.raises(NotExportableError) as caught:
        convert_opset(sketch.model("y"), 17)
    assert str(caught.value).splitlines()[0] == ("opset 17 is too old for these operators; choose --opset 18:")
    assert caught.value.problems == (
        "a: Split 'node_low': its parts have no explicit sizes",
        "b: ReduceMean 'node_mean': its axes are computed",
        "network: Resize 'node_same': no rule says whether opset 17 has an equal",
    )


def test_a_padding_of_computed_axes_has_no_equal() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 2))
    sketch.input("axes", (1,), element_type=onnx.TensorProto.INT64)
    sketch.node("Pad", ["x", sketch.constant("amounts", [0, 1]), "", "axes"], "y", module="m", shape=(1, 3))
    with pytest.raises(NotExportableError) as caught:
        convert_opset(sketch.model("y"), 17)
    assert caught.value.problems == ("m: Pad 'node_y': its axes are computed",)


def test_older_operator_sets_than_17_are_refused() -> None:
    with pytest.raises(NotExportableError) as caught:
        convert_opset(changed_operators().model("y"), 16)
    assert str(caught.value) == ("opset 16 is too old for this graph (opset 18):\n  - choose --opset 17 or newer")


def test_a_newer_graph_does_not_go_back() -> None:
    sketch = Sketch(opset=19)
    sketch.input("x", X.shape)
    sketch.node("Relu", ["x"], "y")
    with pytest.raises(NotExportableError) as caught:
        convert_opset(sketch.model("y"), 18)
    assert str(caught.value).splitlines()[0] == "opset 18 is too old for this graph (opset 19):"


def test_the_value_names_survive() -> None:
    names = {output.name for node in changed_operators().model("y").graph for output in node.outputs}
    for opset in (17, 22):
        model = convert_opset(changed_operators().model("y"), opset)
        assert {output.name for node in model.graph for output in node.outputs} >= names
        assert isinstance(model, ir.Model)
        assert operators(model)["Pad"] == 2
