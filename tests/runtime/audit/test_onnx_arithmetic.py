"""In what arithmetic a node of ONNX Runtime computes, and how many multiply-adds that takes."""

from __future__ import annotations

import pytest

from condmix.runtime.audit.onnx_arithmetic import arithmetic_of, multiply_adds_of
from condmix.runtime.audit.vocabulary import Arithmetic
from tests.runtime.audit.graphs import onnx_node, onnx_run

FLOAT, BYTE = ("float", (1, 8, 6, 6)), ("uint8", (1, 8, 6, 6))


@pytest.mark.parametrize(
    ("op_type", "domain", "source", "result", "expected"),
    [
        ("QLinearConv", "", "uint8", "uint8", Arithmetic.INT8),
        ("QLinearConv", "com.microsoft", "uint8", "uint8", Arithmetic.INT8),
        ("QLinearMatMul", "", "int8", "int8", Arithmetic.INT8),
        ("QLinearAdd", "com.microsoft", "uint8", "uint8", Arithmetic.INT8),
        ("QLinearSigmoid", "com.microsoft", "uint8", "uint8", Arithmetic.INT8),
        ("QGemm", "com.microsoft", "uint8", "uint8", Arithmetic.INT8),
        ("QGemm", "com.microsoft", "uint8", "float", Arithmetic.INT8),
        ("ConvInteger", "", "uint8", "int32", Arithmetic.INT8),
        ("MatMulInteger", "", "uint8", "int32", Arithmetic.INT8),
        ("MatMulIntegerToFloat", "com.microsoft", "uint8", "float", Arithmetic.INT8),
        ("MaxPool", "", "uint8", "uint8", Arithmetic.INT8),
        ("DynamicQuantizeMatMul", "com.microsoft", "float", "float", Arithmetic.INT8_ON_THE_FLY),
        ("Conv", "", "float", "float", Arithmetic.FLOAT),
        ("Conv", "com.microsoft.nchwc", "float", "float", Arithmetic.FLOAT),
        ("FusedConv", "com.microsoft", "float", "float", Arithmetic.FLOAT),
        ("MatMul", "", "float", "float", Arithmetic.FLOAT),
        ("MatMul", "", "float16", "float16", Arithmetic.FLOAT),
        ("Sigmoid", "", "float", "float", Arithmetic.FLOAT),
        ("MaxPool", "", "float", "float", Arithmetic.FLOAT),
        ("QuantizeLinear", "", "float", "uint8", Arithmetic.BOUNDARY),
        ("DequantizeLinear", "", "uint8", "float", Arithmetic.BOUNDARY),
        ("DynamicQuantizeLinear", "", "float", "uint8", Arithmetic.BOUNDARY),
        ("Cast", "", "int32", "float", Arithmetic.BOUNDARY),
        ("Cast", "", "float", "float16", Arithmetic.MOVEMENT),
        ("Transpose", "", "uint8", "uint8", Arithmetic.MOVEMENT),
        ("Concat", "", "float", "float", Arithmetic.MOVEMENT),
        ("ReorderInput", "com.microsoft.nchwc", "float", "float", Arithmetic.MOVEMENT),
        ("Shape", "", "float", "int64", Arithmetic.OTHER),
        ("Add", "", "int64", "int64", Arithmetic.OTHER),
    ],
)
def test_arithmetic(op_type: str, domain: str, source: str, result: str, expected: Arithmetic):
    node = onnx_node(op_type, ["x"], ["y"], domain=domain)
    assert arithmetic_of(onnx_run([node], types={"x": (source, (2,)), "y": (result, (2,))}), node) is expected


@pytest.mark.parametrize(("level", "expected"), [(4, Arithmetic.INT8_ON_THE_FLY), (0, Arithmetic.FLOAT)])
def test_a_product_with_packed_weights_says_its_level(level: int, expected: Arithmetic):
    node = onnx_node("MatMulNBits", ["x", "w"], ["y"], domain="com.microsoft", accuracy_level=level, K=7)
    run = onnx_run([node], types={"x": ("float", (2, 7)), "y": ("float", (2, 5))}, constants={"w": ("uint8", (5, 4))})
    assert arithmetic_of(run, node) is expected
    assert multiply_adds_of(run, 0) == 2 * 5 * 7


def test_what_dynamic_quantisation_feeds_runs_on_the_fly_also_when_moved():
    nodes = [
        onnx_node("DynamicQuantizeLinear", ["x"], ["q", "scale", "zero"]),
        onnx_node("Transpose", ["q"], ["t"]),
        onnx_node("ConvInteger", ["t", "w", "zero"], ["y"]),
        onnx_node("QuantizeLinear", ["x", "s"], ["fixed"]),
        onnx_node("ConvInteger", ["fixed", "w"], ["z"]),
    ]
    run = onnx_run(nodes, types={"x": FLOAT, "q": BYTE, "t": BYTE, "y": ("int32", (1, 4, 4, 4))})
    assert arithmetic_of(run, nodes[2]) is Arithmetic.INT8_ON_THE_FLY
    assert arithmetic_of(run, nodes[4]) is Arithmetic.INT8


def test_float_constants_beside_integers_make_no_float_operator():
    # A fused operator takes its scales as float constants.
    node = onnx_node("NewFusion", ["x", "scale"], ["y"], domain="com.microsoft")
    run = onnx_run([node], types={"x": BYTE, "y": BYTE}, constants={"scale": ("float", ())})
    assert arithmetic_of(run, node) is Arithmetic.INT8


@pytest.mark.parametrize(
    ("node", "shapes", "expected"),
    [
        (onnx_node("Conv", ["x", "w"], ["y"]), {"x": (2, 8, 6, 6), "w": (4, 8, 3, 3), "y": (2, 4, 5, 5)}, 200 * 72),
        # Depthwise: a kernel of one input channel for each output channel.
        (
            onnx_node("Conv", ["x", "w"], ["y"], group=8),
            {"x": (1, 8, 6, 6), "w": (8, 1, 3, 3), "y": (1, 8, 6, 6)},
            288 * 9,
        ),
        # Channels last, as the runtime lays out integers; the kernel keeps its order.
        (
            onnx_node("QLinearConv", ["x", "s", "z", "w"], ["y"], domain="com.microsoft", channels_last=1),
            {"x": (1, 6, 6, 8), "w": (4, 8, 3, 3), "y": (1, 5, 5, 4)},
            100 * 72,
        ),
        (onnx_node("ConvInteger", ["x", "w"], ["y"]), {"w": (4, 8, 1, 1), "y": (1, 4, 5, 5)}, 100 * 8),
        (
            onnx_node("ConvTranspose", ["x", "w"], ["y"]),
            {"x": (1, 8, 3, 3), "w": (8, 4, 2, 2), "y": (1, 4, 6, 6)},
            72 * 16,
        ),
        (onnx_node("MatMul", ["x", "w"], ["y"]), {"x": (3, 2, 7), "w": (7, 5), "y": (3, 2, 5)}, 30 * 7),
        (onnx_node("MatMul", ["x", "w"], ["y"]), {"x": (7,), "w": (7, 5), "y": (5,)}, 5 * 7),
        (onnx_node("Gemm", ["x", "w"], ["y"], transA=1), {"x": (7, 2), "w": (7, 5), "y": (2, 5)}, 10 * 7),
        (onnx_node("Gemm", ["x", "w"], ["y"], transB=1), {"x": (2, 7), "w": (5, 7), "y": (2, 5)}, 10 * 7),
        (onnx_node("QGemm", ["x", "s", "z", "w"], ["y"], transB=1), {"x": (2, 7), "w": (5, 7), "y": (2, 5)}, 10 * 7),
        (onnx_node("QLinearMatMul", ["x", "s", "z", "w"], ["y"]), {"x": (2, 7), "w": (7, 5), "y": (2, 5)}, 10 * 7),
        (onnx_node("MatMulIntegerToFloat", ["x", "w"], ["y"]), {"x": (2, 7), "w": (7, 5), "y": (2, 5)}, 10 * 7),
        (onnx_node("DynamicQuantizeMatMul", ["x", "w"], ["y"]), {"x": (2, 7), "w": (7, 5), "y": (2, 5)}, 10 * 7),
        (onnx_node("Mul", ["x", "w"], ["y"]), {"x": (2, 7), "w": (2, 7), "y": (2, 7)}, 0),
        # Told neither by a constant nor by the profile.
        (onnx_node("Conv", ["x", "w"], ["y"]), {"y": (2, 4, 5, 5)}, None),
        (onnx_node("MatMul", ["x", "w"], ["y"]), {"y": (2, 4)}, None),
        (onnx_node("LSTM", ["x", "w"], ["y"]), {"y": (2, 4)}, None),
    ],
)
def test_multiply_adds(node, shapes: dict, expected: int | None):
    types = {name: ("float", shape) for name, shape in shapes.items()}
    assert multiply_adds_of(onnx_run([node], types=types), 0) == expected


def test_blocked_channels_are_not_counted_where_the_file_tells_their_number():
    node = onnx_node("Conv", ["x", "w"], ["y"], domain="com.microsoft.nchwc")
    types = {"x": ("float", (2, 16, 5, 5)), "y": ("float", (2, 16, 5, 5))}
    run = onnx_run([node], types=types, constants={"w": ("float", (16, 16, 3, 3))})
    assert multiply_adds_of(run, 0) == 2 * 16 * 25 * 16 * 9
    assert multiply_adds_of(run, 0, kernel_in_file=(10, 12, 3, 3)) == 2 * 10 * 25 * 12 * 9


def test_multiply_adds_of_every_turn_of_a_loop_and_none_of_a_branch_not_taken():
    node = onnx_node("MatMul", ["x", "w"], ["y"])
    types = {"x": ("float", (2, 7)), "y": ("float", (2, 5))}
    assert multiply_adds_of(onnx_run([node], types=types, calls=3), 0) == 210
    assert multiply_adds_of(onnx_run([node], types={}, calls=0), 0) == 0
