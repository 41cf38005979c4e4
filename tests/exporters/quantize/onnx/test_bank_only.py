"""int8 banks under float arithmetic: small, near to float, and mixed exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from condmix.exporters.build import Prepared
from condmix.exporters.errors import NotExportableError
from condmix.exporters.quantize.onnx.bank_only import SMALL, store_half
from condmix.exporters.quantize.onnx.build import build_int8
from condmix.exporters.quantize.onnx.options import OnnxInt8Options
from condmix.exporters.quantize.onnx.records import Int8Kind
from condmix.exporters.quantize.ranges import Ranges
from tests.exporters.condconv_cases import condconv_case
from tests.exporters.graphs import run
from tests.exporters.quantize.onnx.rounding import (
    built,
    calibrated,
    engine_operators,
    images_of,
    outputs,
    prepared_of,
    quality_db,
)
from tests.exporters.sketch import Sketch

CASES = {
    "points": condconv_case(images=4, kernel=(1, 1), in_channels=12, out_channels=20, experts=5),
    "depthwise": condconv_case(images=4, in_channels=8, out_channels=8, group=8),
    "dense": condconv_case(images=4),
    "expert bias": condconv_case(images=4, expert_bias=True),
}


@pytest.mark.parametrize("style", ["qdq", "qoperator"])
@pytest.mark.parametrize("name", CASES)
def test_a_layer_with_an_int8_bank(name: str, style: str, tmp_path: Path) -> None:
    case = CASES[name]
    made = built(case.sketch().model("y"), case.feeds, experts="weights", style=style)
    meaning = outputs(made.proto, case.feeds, optimised=False)
    assert quality_db(case.expected(), meaning) > 33
    # The products of 7 and 8 bits are exact; only float32's own rounding may differ.
    assert quality_db(meaning, outputs(made.proto, case.feeds)) > 110
    found = engine_operators(made.proto, tmp_path)
    assert found["MatMulIntegerToFloat"] == 1
    assert found["Conv"] + found["FusedConv"] == 1
    np.testing.assert_allclose(outputs(made.float_proto, case.feeds), case.expected(), atol=1e-5)


def test_a_network(every_form: Prepared, ranges: Ranges, images: dict[str, np.ndarray], expected: np.ndarray) -> None:
    made = build_int8(every_form, ranges, OnnxInt8Options(experts="weights"), {}, lambda _stage: None)
    assert quality_db(expected, outputs(made.proto, images)) > 38
    assert made.int8_share == 0
    reasons = {layer.kind: layer.why for layer in made.layers}
    assert reasons[Int8Kind.COND_CONV].startswith("int8 experts with 7 bits of routing")
    assert reasons[Int8Kind.CONV].startswith("float arithmetic was asked for")
    sizes = {layer.path: layer.weight_bytes for layer in made.layers}
    # Four experts of 10 * 24 bytes, the factors of 24 channels, the scale of the bank, and twice that of the routing.
    assert sizes["expand"] == 4 * 240 + 24 * 4 + 3 * 5


def test_layers_stay_as_they_are_when_asked(every_form: Prepared, ranges: Ranges, tmp_path: Path) -> None:
    options = OnnxInt8Options(experts="weights", float_layers=frozenset({"depthwise"}))
    made = build_int8(every_form, ranges, options, {}, lambda _stage: None)
    assert {layer.path: layer.why for layer in made.layers}["depthwise"] == "asked to stay in float"
    found = engine_operators(made.proto, tmp_path)
    assert (found["MatMulIntegerToFloat"], found["MatMul"]) == (2, 1)


def test_uneven_channels_share_a_scale_all_the_same() -> None:
    """A channel a thousand times smaller is stored as finely."""
    case = CASES["points"]
    sizes = np.logspace(-3, 0, 20).astype(np.float32).reshape(20, 1, 1, 1)
    sketch = Sketch()
    sketch.input("x", (1, 12, 7, 5))
    sketch.input("routing", (1, 5))
    inputs = [
        "x",
        "routing",
        sketch.constant("e", case.experts_eoihw * sizes),
        sketch.constant("b", np.zeros(20, np.float32)),
    ]
    attributes = dict(case.conv.settings.attributes())
    sketch.node("CondConv", inputs, "y", module="conv", domain="condmix", shape=(1, 20, 7, 5), **attributes)
    model = sketch.model("y")
    wanted = np.concatenate([run(model, case.one(index))["y"] for index in range(4)])
    found = outputs(built(model, case.feeds, experts="weights").proto, case.feeds)
    assert min(quality_db(wanted[:, channel], found[:, channel]) for channel in range(20)) > 30


def test_a_network_without_experts_has_no_bank() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 2, 3, 3))
    sketch.node("Conv", ["x", sketch.constant("w", np.ones((2, 2, 1, 1), np.float32))], "y", module="conv")
    model = sketch.model("y")
    with pytest.raises(NotExportableError, match="no CondConv layer was recognised"):
        built(model, images_of((2, 3, 3), name="x"), experts="weights")


def test_several_images_are_refused() -> None:
    case = CASES["dense"]
    model = case.sketch().model("y")
    with pytest.raises(NotExportableError, match=r"block\.conv"):
        build_int8(
            prepared_of(model),
            calibrated(model, case.feeds),
            OnnxInt8Options(experts="weights", batch=2),
            {},
            lambda _stage: None,
        )


def test_large_weights_are_halved() -> None:
    side = int(np.sqrt(SMALL))
    sketch = Sketch()
    sketch.input("x", (1, side))
    sketch.constant("large", np.full((side, side), 0.1, np.float32))
    sketch.constant("small", np.full((side, side - 1), 0.1, np.float32))
    sketch.constant("wide", np.full((side, side), 1e6, np.float32))
    for name in ("large", "small", "wide"):
        sketch.node("MatMul", ["x", name], f"y_{name}", module="m")
    model = sketch.model("y_large", "y_small", "y_wide")
    store_half(model.graph)
    types = {name: value.dtype for name, value in model.graph.initializers.items()}
    assert {name: dtype.name for name, dtype in types.items() if dtype} == {
        "large/half": "FLOAT16",
        "small": "FLOAT",
        "wide": "FLOAT",
    }
    x = np.ones((1, side), np.float32)
    np.testing.assert_allclose(run(model, {"x": x})["y_large"], side * np.float32(np.float16(0.1)), rtol=1e-6)


def test_the_engine_widens_halves_once(every_form: Prepared, ranges: Ranges, tmp_path: Path) -> None:
    made = build_int8(every_form, ranges, OnnxInt8Options(experts="weights"), {}, lambda _stage: None)
    halves = [item for item in made.proto.graph.initializer if item.data_type == TensorProto.FLOAT16]
    assert len(halves) == sum(node.op_type == "Cast" for node in made.proto.graph.node) > 0
    assert engine_operators(made.proto, tmp_path)["Cast"] == 0
    assert isinstance(made.proto, onnx.ModelProto)
