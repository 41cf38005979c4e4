"""Gates are found by what reads them; one scale serves their weights, and they stay in the delegate."""

from __future__ import annotations

import numpy as np
import pytest

from condmix.exporters.quantize.tflite.gates import find_gates
from condmix.exporters.quantize.tflite.plan import GATE, ONE_POSITION, plan_model
from condmix.exporters.quantize.tflite.rewrite import rewrite
from condmix.exporters.tflite.lower_graph import lower_graph
from condmix.exporters.tflite.model import TfliteModel
from condmix.exporters.tflite.schema import Operator, TensorType
from tests.exporters.sketch import Sketch

CHANNELS = 6


def gated(*, reader: str = "Mul", activation: str = "Sigmoid", extra_output: bool = False) -> TfliteModel:
    """Squeeze-and-excite: pool, two products with a SiLU between them, a sigmoid, and what reads it."""
    generator = np.random.default_rng(0)
    sketch = Sketch()
    sketch.input("x", (1, CHANNELS, 5, 5))
    sketch.node("GlobalAveragePool", ["x"], "mean")
    for index, (given, made) in enumerate([("mean", "few"), ("silu", "logits")]):
        shape = (4, CHANNELS, 1, 1) if index == 0 else (CHANNELS, 4, 1, 1)
        # Rows of very different size, as only a scale a channel would store them all finely.
        weight = generator.standard_normal(shape) * np.logspace(0, -3, shape[0]).reshape(-1, 1, 1, 1)
        sketch.constant(f"w{index}", weight.astype(np.float32))
        sketch.constant(f"b{index}", generator.standard_normal(shape[0]).astype(np.float32))
        sketch.node("Conv", [given, f"w{index}", f"b{index}"], made, module=made)
        if index == 0:
            sketch.node("Sigmoid", ["few"], "open", module="few")
            sketch.node("Mul", ["few", "open"], "silu", module="few")
    sketch.node(activation, ["logits"], "gate")
    sketch.node(reader, ["x", "gate"], "y")
    return lower_graph(sketch.model("y", "logits") if extra_output else sketch.model("y"), description="").model


def paths(model: TfliteModel) -> list[str]:
    return [item.path for item in model.operations if id(item) in find_gates(model)]


def test_the_product_in_front_of_a_sigmoid_that_multiplies() -> None:
    # The product in front of the SiLU is read by more than a sigmoid.
    assert paths(gated()) == ["logits"]


@pytest.mark.parametrize(
    "model",
    [gated(reader="Add"), gated(activation="Tanh"), gated(extra_output=True)],
    ids=["added, not multiplied", "no sigmoid", "given away"],
)
def test_nothing_else_is_a_gate(model: TfliteModel) -> None:
    assert paths(model) == []


@pytest.mark.parametrize("mode", ["dynamic", "full", "int16"])
def test_gates_get_one_scale_and_other_products_one_a_channel(mode: str) -> None:
    model = gated()
    plan = plan_model(model, mode, frozenset())
    why = {item.path: choice.why for item, choice in zip(model.operations, plan.choices, strict=True)}
    assert why["logits"] == GATE
    if mode != "dynamic":
        first = next(c for i, c in zip(model.operations, plan.choices, strict=True) if i.operator is Operator.CONV_2D)
        assert first.why == ONE_POSITION
    plain = plan_model(model, "dynamic", frozenset())
    written = rewrite(model, plain, {}, TensorType.INT8)
    scales = {
        item.path: len(weight.quantization.scales)
        for item in written.operations
        if item.operator is Operator.CONV_2D
        and (weight := item.inputs[1]) is not None
        and weight.quantization is not None
    }
    assert scales == {"few": 4, "logits": 1}


def test_no_gate_is_further_off_than_the_one_with_the_largest_weights() -> None:
    model = gated()
    stored = next(item for item in model.operations if id(item) in find_gates(model)).inputs[1]
    assert stored is not None
    assert stored.data is not None
    written = rewrite(model, plan_model(model, "dynamic", frozenset()), {}, TensorType.INT8)
    packed = next(item.inputs[1] for item in written.operations if item.path == "logits")
    assert packed is not None
    assert packed.data is not None
    assert packed.quantization is not None
    off = np.abs(packed.data * np.float32(packed.quantization.single_scale) - stored.data).max(axis=(1, 2, 3))
    assert 0 < off.max() <= 0.5001 * np.abs(stored.data).max() / 127
