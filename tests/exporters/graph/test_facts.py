"""Reading a graph: one answer, or an error that names the value."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from condmix.exporters.errors import GraphError
from condmix.exporters.graph.facts import (
    attribute_float,
    attribute_int,
    attribute_ints,
    attribute_string,
    constant,
    constant_ints,
    element_count,
    is_op,
    module_path,
    only_consumer,
    static_shape,
)
from tests.exporters.graphs import node_of, produced_by
from tests.exporters.sketch import Sketch


def value(*shape: int | str) -> ir.Value:
    return ir.Value(name="v", shape=ir.Shape(shape), type=ir.TensorType(ir.DataType.FLOAT))


def test_a_constant_is_read_however_it_is_stored() -> None:
    sketch = Sketch()
    sketch.input("x", (2,))
    sketch.constant("stored", np.array([1.0, 2.0], dtype=np.float32))
    sketch.node("Constant", [], "written", value_ints=[3, 4])
    sketch.node("Cast", ["written"], "cast", to=1)
    sketch.node("Sum", ["x", "stored", "cast"], "y")
    node = node_of(sketch.model("y"), "Sum")
    np.testing.assert_array_equal(constant(node.inputs[1]), [1.0, 2.0])
    cast = node.inputs[2]
    assert cast is not None
    assert constant(cast) is None
    producer = cast.producer()
    assert producer is not None
    assert constant_ints(producer.inputs[0]) == (3, 4)
    assert constant(node.inputs[0]) is None
    assert constant(None) is None
    assert constant_ints(None) is None


def test_constant_integers_are_flat() -> None:
    assert constant_ints(ir.Value(name="c", const_value=ir.tensor(np.array([[1, -2]])))) == (1, -2)
    assert constant_ints(ir.Value(name="c", const_value=ir.tensor(np.array(7)))) == (7,)


def test_a_static_shape_is_numbers() -> None:
    assert static_shape(value(1, 3, 4)) == (1, 3, 4)
    assert static_shape(value()) == ()
    assert element_count(value(1, 3, 4)) == 12
    assert element_count(value()) == 1


@pytest.mark.parametrize(
    ("unknown", "text"),
    [
        (ir.Value(name="v"), "value 'v' has no shape: expected a graph with inferred shapes"),
        (value("n", 3), "value 'v' has shape [n,3]: expected numbers only"),
    ],
)
def test_an_unknown_shape_is_an_error_that_names_the_value(unknown: ir.Value, text: str) -> None:
    with pytest.raises(GraphError) as caught:
        static_shape(unknown)
    assert str(caught.value) == text


def test_attributes_or_their_defaults() -> None:
    node = ir.node("Own", [], attributes={"i": 3, "f": 0.5, "s": "text", "l": (1, 2)})
    assert (attribute_int(node, "i", 0), attribute_int(node, "none", 7)) == (3, 7)
    assert (attribute_float(node, "f", 0.0), attribute_float(node, "none", 1.5)) == (0.5, 1.5)
    assert (attribute_string(node, "s", ""), attribute_string(node, "none", "no")) == ("text", "no")
    assert (attribute_ints(node, "l", ()), attribute_ints(node, "none", [9])) == ((1, 2), (9,))


def test_operators_are_those_of_the_standard_domain() -> None:
    assert is_op(ir.node("Conv", []), "Relu", "Conv")
    assert is_op(ir.Node("ai.onnx", "Conv", []), "Conv")
    assert not is_op(ir.node("Conv", []), "Relu")
    assert not is_op(ir.Node("condmix", "Conv", []), "Conv")
    assert not is_op(None, "Conv")


def test_the_only_consumer() -> None:
    sketch = Sketch()
    sketch.input("x", (2,))
    sketch.node("Relu", ["x"], "once")
    sketch.node("Neg", ["once"], "twice")
    sketch.node("Add", ["twice", "twice"], "shown")
    sketch.node("Abs", ["shown"], "y")
    model = sketch.model("shown", "y")
    outputs = {name: produced_by(model, name).outputs[0] for name in ("once", "twice", "shown", "y")}
    assert only_consumer(outputs["once"]) is node_of(model, "Neg")
    # Read twice by one node, returned by the network, read by nobody.
    assert [only_consumer(outputs[name]) for name in ("twice", "shown", "y")] == [None, None, None]


def test_the_module_path() -> None:
    sketch = Sketch()
    sketch.input("x", (2,))
    sketch.node("Relu", ["x"], "y", module="blocks.0")
    assert module_path(node_of(sketch.model("y"), "Relu")) == "blocks.0"
    assert module_path(ir.node("Relu", [])) == ""
