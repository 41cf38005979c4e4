"""Who computes in what, and the sentence that says why."""

from __future__ import annotations

import numpy as np
import pytest

from condmix.exporters.build import Prepared
from condmix.exporters.quantize.tflite.observation import float_twin
from condmix.exporters.quantize.tflite.plan import ASKED, COMPUTED, Arithmetic, Choice, plan_model
from condmix.exporters.tflite.lower_graph import lower_graph
from condmix.exporters.tflite.model import TfliteModel
from condmix.exporters.tflite.schema import Operator
from tests.exporters.sketch import Sketch

PRODUCTS = (Operator.CONV_2D, Operator.DEPTHWISE_CONV_2D, Operator.FULLY_CONNECTED, Operator.BATCH_MATMUL)


@pytest.fixture(scope="module")
def twin(both: Prepared) -> TfliteModel:
    return float_twin(both, batch=1, layout="nhwc", metadata={}).model


def chosen(
    model: TfliteModel, mode: str = "full", float_layers: frozenset[str] = frozenset()
) -> list[tuple[str, str, str]]:
    """(module, operator, arithmetic) of every product."""
    plan = plan_model(model, mode, float_layers)
    return [
        (item.path, item.operator.name, choice.arithmetic.value)
        for item, choice in zip(model.operations, plan.choices, strict=True)
        if item.operator in PRODUCTS
    ]


def test_every_product_of_a_network(twin: TfliteModel) -> None:
    taps = [("cond", "BATCH_MATMUL", "integer")] * 3
    assert chosen(twin) == [
        ("stem.0", "CONV_2D", "integer"),
        ("routing.linear", "FULLY_CONNECTED", "float"),
        ("cond", "FULLY_CONNECTED", "integer"),
        *taps,
        ("depthwise", "FULLY_CONNECTED", "hybrid"),
        ("depthwise", "DEPTHWISE_CONV_2D", "float"),
        ("depthwise", "FULLY_CONNECTED", "float"),
        ("expand.0", "CONV_2D", "integer"),
        ("mix", "DEPTHWISE_CONV_2D", "integer"),
        ("expand.0", "CONV_2D", "integer"),
        ("mix", "DEPTHWISE_CONV_2D", "integer"),
        ("project", "CONV_2D", "integer"),
        ("classifier", "FULLY_CONNECTED", "hybrid"),
    ]


@pytest.mark.parametrize(
    ("mode", "convolution", "depthwise", "mixing", "matmul"),
    [
        ("int16", "integer", "integer", "hybrid", "float"),
        ("dynamic", "hybrid", "stored", "hybrid", "float"),
        ("weights", "stored", "stored", "stored", "float"),
    ],
)
def test_the_other_modes(
    twin: TfliteModel, mode: str, convolution: str, depthwise: str, mixing: str, matmul: str
) -> None:
    found = dict.fromkeys(chosen(twin, mode))
    assert ("stem.0", "CONV_2D", convolution) in found
    assert ("mix", "DEPTHWISE_CONV_2D", depthwise) in found
    assert ("cond", "FULLY_CONNECTED", mixing) in found
    assert ("cond", "BATCH_MATMUL", matmul) in found
    assert ("routing.linear", "FULLY_CONNECTED", "float") in found


def test_a_layer_that_was_asked_for_is_float_with_all_that_belongs_to_it(twin: TfliteModel) -> None:
    plan = plan_model(twin, "full", frozenset({"cond", "mix"}))
    for item, choice in zip(twin.operations, plan.choices, strict=True):
        if item.path in ("cond", "mix"):
            assert choice == Choice(arithmetic=Arithmetic.FLOAT, why=ASKED)
    others = [item for item in chosen(twin) if item[0] not in ("cond", "mix")]
    assert [
        item for item in chosen(twin, "full", frozenset({"cond", "mix"})) if item[0] not in ("cond", "mix")
    ] == others


def test_reasons_are_sentences(twin: TfliteModel) -> None:
    plan = plan_model(twin, "full", frozenset())
    assert all(choice.why for choice in plan.choices)
    (dynamic,) = (
        choice
        for item, choice in zip(twin.operations, plan.choices, strict=True)
        if item.operator is Operator.DEPTHWISE_CONV_2D and item.path == "depthwise"
    )
    assert dynamic.why == COMPUTED


def arithmetic_of(sketch: Sketch) -> dict[str, str]:
    """By the name of an operator's result, but for what turns results back to channels first."""
    model = lower_graph(sketch.model("y"), description="").model
    plan = plan_model(model, "full", frozenset())
    return {
        item.outputs[0].name.removeprefix("/"): choice.arithmetic.value
        for item, choice in zip(model.operations, plan.choices, strict=True)
        if not item.outputs[0].name.endswith("_nchw")
    }


def convolved(sketch: Sketch, x: str, result: str) -> str:
    weight = sketch.constant(f"{result}.w", np.ones((4, 4, 1, 1), dtype=np.float32))
    return sketch.node("Conv", [x, weight], result, kernel_shape=(1, 1))


def test_activations_follow_what_they_work_on() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 4, 6, 6))
    sketch.node("Sigmoid", ["x"], "gate_of_input")
    sketch.node("Mul", ["x", "gate_of_input"], "swish_of_input")
    convolved(sketch, "swish_of_input", "z")
    sketch.node("Sigmoid", ["z"], "gate")
    sketch.node("Mul", ["z", "gate"], "swish")
    sketch.node("GlobalAveragePool", ["swish"], "pooled")
    convolved(sketch, "pooled", "squeezed")
    sketch.node("Sigmoid", ["squeezed"], "open")
    sketch.node("Mul", ["swish", "open"], "y")
    found = arithmetic_of(sketch)
    floats = {"gate_of_input": "float", "swish_of_input": "float", "open": "float", "squeezed": "hybrid"}
    assert found == dict.fromkeys(("z", "gate", "swish", "pooled", "y"), "integer") | floats


def test_a_sum_with_a_float_side_is_float() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 4, 6, 6))
    convolved(sketch, "x", "z")
    sketch.node("Add", ["z", "x"], "y")
    assert arithmetic_of(sketch) == {"z": "integer", "y": "float"}


def test_a_number_a_channel_would_share_one_scale() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 4, 6, 6))
    convolved(sketch, "x", "z")
    sketch.node("Mul", ["z", sketch.constant("two", 2.0)], "doubled")
    sketch.node("Mul", ["doubled", sketch.constant("each", np.ones((1, 4, 1, 1), dtype=np.float32))], "y")
    assert arithmetic_of(sketch) == {"z": "integer", "doubled": "integer", "y": "float"}


def test_what_is_moved_for_integers_only_is_moved_as_integers() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 4, 6, 6))
    sketch.node("Pad", ["x", sketch.constant("amounts", [0, 0, 1, 1, 0, 0, 1, 1])], "padded")
    convolved(sketch, "padded", "y")
    assert arithmetic_of(sketch) == {"padded": "integer", "y": "integer"}
    sketch = Sketch()
    sketch.input("x", (1, 4, 6, 6))
    sketch.node("Pad", ["x", sketch.constant("amounts", [0, 0, 1, 1, 0, 0, 1, 1])], "padded")
    convolved(sketch, "padded", "z")
    sketch.node("Exp", ["padded"], "e")
    sketch.node("Add", ["z", "e"], "y")
    assert arithmetic_of(sketch)["padded"] == "float"


def test_operators_without_an_integer_form_are_float_and_named() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 4, 6, 6))
    convolved(sketch, "x", "z")
    sketch.node("HardSwish", ["z"], "y")
    model = lower_graph(sketch.model("y"), description="").model
    plan = plan_model(model, "full", frozenset())
    (swish,) = (
        choice
        for item, choice in zip(model.operations, plan.choices, strict=True)
        if item.operator is Operator.HARD_SWISH
    )
    assert swish == Choice(arithmetic=Arithmetic.FLOAT, why="no integer form of HARD_SWISH is used")
