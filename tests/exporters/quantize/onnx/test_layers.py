"""Layers with weights in the int8 file: what is stored, and that the file's own numbers give the layer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from condmix.exporters.quantize.onnx.records import Int8Build
from tests.exporters.condconv_cases import CondConvCase, condconv_case
from tests.exporters.quantize.onnx.rounding import built, engine_operators, outputs, quality_db
from tests.exporters.sketch import Sketch

CASES = {
    "points": condconv_case(images=8, kernel=(1, 1), in_channels=12, out_channels=20, experts=5),
    "depthwise": condconv_case(images=8, in_channels=8, out_channels=8, group=8),
    "dense": condconv_case(images=8, kernel=(3, 3)),
    "grouped": condconv_case(images=8, in_channels=8, out_channels=12, group=2),
    "points with expert bias": condconv_case(images=8, kernel=(1, 1), expert_bias=True),
    "kernel with expert bias": condconv_case(images=8, expert_bias=True),
}
"""Routings of these cases are not all positive."""


def file_of(case: CondConvCase, **choices: object) -> Int8Build:
    return built(case.sketch().model("y"), case.feeds, **choices)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("target", "least"), [("auto", 26), ("arm", 30)])
def test_a_condconv_in_int8(name: str, target: str, least: float) -> None:
    case = CASES[name]
    proto = file_of(case, target=target).proto
    meaning = outputs(proto, case.feeds, optimised=False)
    assert quality_db(case.expected(), meaning) > least
    assert quality_db(meaning, outputs(proto, case.feeds)) > 45


@pytest.mark.parametrize("name", CASES)
def test_no_condconv_is_left_in_float(name: str, tmp_path: Path) -> None:
    found = engine_operators(file_of(CASES[name]).proto, tmp_path)
    assert found["MatMulIntegerToFloat"] == 1
    assert found["QGemm"] + found["QLinearConv"] == 1
    assert not {"Conv", "FusedConv", "MatMul", "Add"} & set(found)
    # The bias that is mixed is the one small product in float.
    assert found["Gemm"] == ("expert bias" in name)


def test_one_scale_serves_a_bank_of_uneven_channels() -> None:
    """Each output channel is divided by what its kernel was seen to take: small channels are as fine as large ones."""
    case = CASES["points"]
    sizes = np.logspace(-3, 3, 20).astype(np.float32).reshape(20, 1, 1, 1)
    made = file_of(replace(case, experts_eoihw=case.experts_eoihw * sizes))
    stored = [onnx.numpy_helper.to_array(item) for item in made.proto.graph.initializer]
    (bank_en,) = (array for array in stored if array.dtype == np.int8 and array.ndim == 2)
    largest_o = np.abs(bank_en.reshape(5, 12, 20).astype(int)).max(axis=(0, 1))
    assert (largest_o > 40).all()


def test_an_unseen_routing_stays_on_the_kernels_grid() -> None:
    """Twice the largest routing would mix weights that overflow 16 bits on some processors."""
    case = CASES["points"]
    proto = file_of(case, target="auto").proto
    kernel = next(
        node.output[0] for node in proto.graph.node if node.op_type == "Reshape" and "kernel" in node.output[0]
    )
    tapped = onnx.ModelProto()
    tapped.CopyFrom(proto)
    del tapped.graph.output[:]
    tapped.graph.output.add().name = kernel
    far = {"x": case.images_nchw, "routing": 2 * case.routing_ne}
    integers = outputs(tapped, far, optimised=False)
    assert integers.dtype == np.int8
    assert (integers.max(), integers.min()) == (63, -63)


def test_a_matrix_product_may_be_stored_either_way() -> None:
    generator = np.random.default_rng(0)
    weight = generator.standard_normal((6, 4)).astype(np.float32)
    feeds = {"x": generator.standard_normal((8, 6)).astype(np.float32)}
    results = []
    for transposed in (0, 1):
        sketch = Sketch()
        sketch.input("x", (1, 6))
        stored = sketch.constant("w", weight.T.copy() if transposed else weight)
        inputs = ["x", stored, sketch.constant("b", np.asarray(0.5, np.float32).reshape(1))]
        sketch.node("Gemm", inputs, "y", module="head", transB=transposed)
        results.append(outputs(built(sketch.model("y"), feeds).proto, feeds))
    np.testing.assert_array_equal(results[0], results[1])
    assert quality_db(feeds["x"] @ weight + 0.5, results[0]) > 30


def test_what_a_layer_stores_is_counted() -> None:
    (layer,) = file_of(CASES["points"]).layers
    assert layer.weight_bytes == 5 * 12 * 20 + 20 * 4 + 20 * 4
    assert layer.why.startswith("mixed in integers; applied as Gemm")
