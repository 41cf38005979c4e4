"""Finding the expansion in front of a MixConv: only a chain that nothing else reads may be taken apart."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.lower.expansion import find_expansion
from tests.exporters.graphs import produced_by
from tests.exporters.mixconv_cases import mixconv_case
from tests.exporters.sketch import Sketch

ACTIVATIONS = ("Relu", "HardSwish", "LeakyRelu", "Sigmoid", "Elu")


def sketch_with(activation: str | None, *, bias: bool = True, group: int = 1) -> Sketch:
    """x -> 1x1 convolution `expand` -> activation `active` -> MixConv `y`."""
    case = mixconv_case()
    generator = np.random.default_rng(0)
    sketch = Sketch()
    sketch.input("x", (1, 6, 9, 8))
    weight = generator.standard_normal((case.channels, 6 // group, 1, 1)).astype(np.float32)
    inputs = ["x", sketch.constant("w", weight)]
    if bias:
        inputs.append(sketch.constant("b", generator.standard_normal(case.channels).astype(np.float32)))
    sketch.node("Conv", inputs, "expand", module="block.expand", group=group)
    add_activation(sketch, activation)
    case.add_to(sketch, "expand" if activation is None else "active", "y")
    return sketch


def add_activation(sketch: Sketch, activation: str | None) -> None:
    if activation in ("silu", "silu reversed"):
        sketch.node("Sigmoid", ["expand"], "gate", module="block.act")
        factors = ["expand", "gate"] if activation == "silu" else ["gate", "expand"]
        sketch.node("Mul", factors, "active", module="block.act")
    elif activation == "Clip":
        limits = [sketch.constant(name, value) for name, value in (("low", 0.0), ("high", 6.0))]
        sketch.node("Clip", ["expand", *limits], "active", module="block.act")
    elif activation is not None:
        sketch.node(activation, ["expand"], "active", module="block.act")


def mixconv_input(model: ir.Model) -> ir.Value:
    value = produced_by(model, "y").inputs[0]
    assert value is not None
    return value


@pytest.mark.parametrize(
    ("activation", "chain"),
    [
        (None, []),
        ("Clip", ["Clip"]),
        ("silu", ["Sigmoid", "Mul"]),
        ("silu reversed", ["Sigmoid", "Mul"]),
        *((name, [name]) for name in ACTIVATIONS),
    ],
)
def test_a_convolution_with_its_activation_is_found(activation: str | None, chain: list[str]) -> None:
    model = sketch_with(activation).model("y")
    expansion = find_expansion(mixconv_input(model))
    assert expansion is not None
    assert expansion.conv is produced_by(model, "expand")
    assert [node.op_type for node in expansion.activation] == chain
    assert expansion.group == 1
    assert expansion.weight_oihw.shape == (9, 6, 1, 1)
    assert expansion.bias_o.any()


def test_a_missing_bias_is_zero_and_groups_are_read() -> None:
    expansion = find_expansion(mixconv_input(sketch_with("Relu", bias=False, group=3).model("y")))
    assert expansion is not None
    assert expansion.group == 3
    np.testing.assert_array_equal(expansion.bias_o, np.zeros(9))


@pytest.mark.parametrize("read_too", ["expand", "active", "gate"])
def test_a_second_reader_anywhere_in_the_chain_forbids_it(read_too: str) -> None:
    sketch = sketch_with("silu")
    sketch.node("Neg", [read_too], "z")
    assert find_expansion(mixconv_input(sketch.model("y", "z"))) is None


@pytest.mark.parametrize("shown", ["expand", "active"])
def test_a_value_that_the_network_returns_forbids_it(shown: str) -> None:
    assert find_expansion(mixconv_input(sketch_with("Relu").model("y", shown))) is None


def test_other_producers_are_no_expansion() -> None:
    case = mixconv_case()
    sketch = Sketch()
    sketch.input("x", (1, case.channels, 9, 8))
    sketch.node("Relu", ["x"], "active")
    case.add_to(sketch, "active", "y")
    assert find_expansion(mixconv_input(sketch.model("y"))) is None
    direct = case.sketch().model("y")
    assert find_expansion(mixconv_input(direct)) is None


def test_a_product_that_is_no_silu_forbids_it() -> None:
    sketch = sketch_with(None)
    sketch.node("Tanh", ["expand"], "gate")
    sketch.node("Mul", ["expand", "gate"], "z")
    mixconv_case().add_to(sketch, "z", "u")
    model = sketch.model("u")
    value = produced_by(model, "u").inputs[0]
    assert value is not None
    assert find_expansion(value) is None


def test_a_computed_weight_forbids_it() -> None:
    case = mixconv_case()
    sketch = Sketch()
    sketch.input("x", (1, 6, 9, 8))
    sketch.input("w", (case.channels, 6, 1, 1))
    sketch.node("Conv", ["x", "w"], "expand")
    case.add_to(sketch, "expand", "y")
    assert find_expansion(mixconv_input(sketch.model("y"))) is None


@pytest.mark.parametrize("activation", ["LeakyRelu", "Clip", "silu"])
def test_the_activation_is_repeated_with_its_attributes_and_limits(activation: str) -> None:
    model = sketch_with(activation).model("y")
    expansion = find_expansion(mixconv_input(model))
    assert expansion is not None
    builder = NodeBuilder("block.mix")
    piece = ir.Value(name="piece", shape=ir.Shape((1, 2, 9, 8)), type=ir.TensorType(ir.DataType.FLOAT))
    result = expansion.apply_activation(builder, piece, BatchAxis(size=None), "expand_0")
    assert [node.op_type for node in builder.nodes] == [node.op_type for node in expansion.activation]
    assert result.shape == ir.Shape(("batch", 2, 9, 8))
    for new, old in zip(builder.nodes, expansion.activation, strict=True):
        assert new.attributes == old.attributes
        assert [value.name for value in new.inputs[1:] if value is not None and value.is_initializer()] == [
            value.name for value in old.inputs[1:] if value is not None and value.is_initializer()
        ]
    assert builder.nodes[0].inputs[0] is piece
