"""Recognition as a whole: both constructs, a record each, and the routing values for the choice of images."""

from __future__ import annotations

import numpy as np

from condmix.exporters.recognise import recognise
from condmix.exporters.records import LayerKind
from tests.exporters.graphs import assert_same, operators, run
from tests.exporters.sketch import Sketch


def both_constructs() -> Sketch:
    """image -> r -> CondConv 1x1 (4 -> 6 channels), a curved one beside it -> MixConv over 2 + 4 channels -> y."""
    generator = np.random.default_rng(0)

    def numbers(*shape: int) -> np.ndarray:
        return generator.standard_normal(shape).astype(np.float32)

    sketch = Sketch()
    sketch.input("image", (1, 4, 6, 6))
    sketch.node("ReduceMean", ["image", sketch.constant("spatial", [2, 3])], "pooled", keepdims=0, module="a.router")
    sketch.node("MatMul", ["pooled", sketch.constant("router", numbers(4, 2))], "logits", module="a.router")
    sketch.node("Sigmoid", ["logits"], "r", module="a.router")
    shape = sketch.constant("shape", [6, 4, 1, 1])
    for name in ("straight", "curved"):
        sketch.node("MatMul", ["r", sketch.constant(f"{name}.bank", numbers(2, 24))], f"{name}.flat", module="a")
        sketch.node("Reshape", [f"{name}.flat", shape], f"{name}.kernel", module="a")
    sketch.node("Tanh", ["curved.kernel"], "bent", module="a.curved")
    sketch.node("Conv", ["image", "straight.kernel"], "first", module="a.straight")
    sketch.node("Conv", ["image", "bent"], "second", module="a.curved")
    sketch.node("Add", ["first", "second"], "sum", module="a")
    sketch.node("Split", ["sum", sketch.constant("sizes", [2, 4])], ["low", "high"], axis=1, module="a.mix")
    sketch.node(
        "Conv", ["low", sketch.constant("w0", numbers(2, 1, 3, 3))], "c0", module="a.mix.0", group=2, pads=[1] * 4
    )
    sketch.node(
        "Conv", ["high", sketch.constant("w1", numbers(4, 1, 5, 5))], "c1", module="a.mix.1", group=4, pads=[2] * 4
    )
    sketch.node("Concat", ["c0", "c1"], "y", axis=1, module="a.mix")
    return sketch


def test_every_layer_is_recorded_and_nothing_changes() -> None:
    model = both_constructs().model("y")
    feeds = {"image": np.random.default_rng(1).standard_normal((1, 4, 6, 6)).astype(np.float32)}
    before = run(model, feeds)["y"]
    found = recognise(model)
    assert [(layer.path, layer.kind, layer.recognised) for layer in found.layers] == [
        ("a.straight", LayerKind.COND_CONV, True),
        ("a.curved", LayerKind.COND_CONV, False),
        ("a.mix", LayerKind.MIX_CONV, True),
    ]
    assert found.routing_values == ("r",)
    kinds = operators(model)
    assert (kinds["CondConv"], kinds["MixConv2"], kinds["Conv"]) == (1, 1, 1)
    assert_same(before, run(model, feeds)["y"])


def test_a_record_has_no_form_yet_and_the_costs_of_the_definition() -> None:
    straight, curved, mixed = recognise(both_constructs().model("y")).layers
    assert (straight.form, straight.why, straight.details["experts"]) == (None, "", 2)
    assert straight.multiply_adds == 24 * 36 + 2 * 24
    assert straight.weight_bytes == 4 * (2 * 24 + 6)
    assert (mixed.form, mixed.details["kernels"]) == (None, ((3, 3), (5, 5)))
    assert mixed.multiply_adds == (2 * 9 + 4 * 25) * 36
    assert mixed.weight_bytes == 4 * (2 * 9 + 4 * 25 + 6)
    assert curved.why.startswith("the kernel is not linear in 'r' (2 numbers)")
    assert (curved.details, curved.multiply_adds, curved.weight_bytes) == ({}, 0, 0)


def test_a_second_look_finds_only_what_was_declined() -> None:
    model = both_constructs().model("y")
    recognise(model)
    assert [layer.path for layer in recognise(model).layers] == ["a.curved"]


def test_a_graph_without_either_is_left_alone() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 2, 3, 3))
    sketch.node("Relu", ["x"], "y")
    model = sketch.model("y")
    found = recognise(model)
    assert (found.layers, found.routing_values) == ((), ())
    assert operators(model) == {"Relu": 1}
