"""The integer operators themselves: the same numbers as QDQ form after fusion, and what is left alone."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from condmix.exporters.build import Prepared
from condmix.exporters.finish import finish
from condmix.exporters.quantize.onnx.build import build_int8
from condmix.exporters.quantize.onnx.options import OnnxInt8Options
from condmix.exporters.quantize.onnx.qoperator import DOMAIN, fuse
from condmix.exporters.quantize.ranges import Ranges
from tests.exporters.graphs import operators
from tests.exporters.quantize.onnx.rounding import outputs
from tests.exporters.sketch import Sketch


def quantized(*, rounded_result: bool = True, shared: bool = False) -> ir.Model:
    """DequantizeLinear, Conv, and QuantizeLinear unless told."""
    sketch = Sketch()
    sketch.input("x", (1, 2, 3, 3))
    grid = [sketch.constant("s", 0.1), sketch.constant("z", np.asarray(128, np.uint8))]
    wgrid = [sketch.constant("ws", np.ones(4, np.float32)), sketch.constant("wz", np.zeros(4, np.int8))]
    sketch.node("QuantizeLinear", ["x", *grid], "x/q")
    sketch.node("DequantizeLinear", ["x/q", *grid], "x/real")
    stored = sketch.constant("w", np.ones((4, 2, 1, 1), np.int8))
    sketch.node("DequantizeLinear", [stored, *wgrid], "w/real", axis=0)
    last = sketch.node("Conv", ["x/real", "w/real"], "y/exact", module="conv")
    if rounded_result:
        sketch.node("QuantizeLinear", ["y/exact", *grid], "y/q")
        last = sketch.node("DequantizeLinear", ["y/q", *grid], "y")
    return sketch.model(last, *(["y/exact"] if shared else []))


def test_a_group_becomes_one_operator() -> None:
    model = quantized()
    assert fuse(model) == 1
    assert operators(model) == {"QuantizeLinear": 1, "QLinearConv": 1, "DequantizeLinear": 1}
    (node,) = (node for node in model.graph if node.op_type == "QLinearConv")
    names = [value.name for value in node.inputs if value is not None]
    assert names == ["x/q", "s", "z", "w", "ws", "wz", "s", "z"]
    assert node.outputs[0].name == "y/q"
    assert DOMAIN not in model.opset_imports


def test_a_result_that_is_not_rounded_keeps_its_operator() -> None:
    model = quantized(rounded_result=False)
    assert fuse(model) == 0
    assert operators(model)["Conv"] == 1


def test_a_result_that_is_also_read_in_float_keeps_its_operator() -> None:
    model = quantized(shared=True)
    assert fuse(model) == 0


def test_every_group_of_a_network(every_form: Prepared, ranges: Ranges, images: dict[str, np.ndarray]) -> None:
    made = build_int8(every_form, ranges, OnnxInt8Options(style="qoperator"), {}, lambda _stage: None)
    found = {node.op_type for node in made.proto.graph.node}
    assert {"QLinearConv", "QGemm", "MatMulIntegerToFloat", "QLinearMul", "QLinearAdd", "QLinearSigmoid"} <= found
    # In float: the routing. Whatever else multiplies does so in integers.
    assert [node.op_type for node in made.proto.graph.node if node.op_type in ("Conv", "Gemm", "Mul", "MatMul")] == [
        "Gemm"
    ]
    assert {item.domain: item.version for item in made.proto.opset_import} == {"": 18, DOMAIN: 1}
    # Nothing is left to fuse: optimised or not, the numbers are the same.
    np.testing.assert_array_equal(outputs(made.proto, images), outputs(made.proto, images, optimised=False))


def test_fusing_twice_changes_nothing() -> None:
    model = quantized()
    fuse(model)
    before = finish(model.clone(), 18, {}).SerializeToString(deterministic=True)
    assert fuse(model) == 0
    assert finish(model.clone(), 18, {}).SerializeToString(deterministic=True) == before
