"""Where the nodes of an optimised graph came from."""

from __future__ import annotations

import pytest

from condmix.runtime.audit.onnx_names import Origins, module_of
from tests.runtime.audit.graphs import onnx_graph, onnx_node

FILE = onnx_graph(
    [
        onnx_node("Conv", ["x", "stem.weight"], ["c1"], name="/stem/Conv"),
        onnx_node("Relu", ["c1"], ["r1"], name="/act/Relu"),
        onnx_node("Conv", ["r1", "w2"], ["c12"], name="n1"),
        onnx_node("Mul", ["c12", "k"], ["m"], name="n12"),
        onnx_node("DequantizeLinear", ["stored", "s"], ["unpacked"], name="dq"),
        onnx_node("Gemm", ["m", "unpacked"], ["y"], name="/head/Gemm"),
        onnx_node("Concat", ["c1", "c12"], ["joined"], name="/join/Concat"),
        onnx_node("BatchNormalization", ["joined"], ["normal"], name="/norm/BatchNormalization"),
    ],
    constants={"stored": ("int8", (4, 4)), "w2": ("float", (4, 4))},
)


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (onnx_node("Conv", ["x"], ["other"], name="/stem/Conv"), "/stem/Conv"),
        (onnx_node("QLinearConv", ["x"], ["z"], name="/stem/Conv_token_17", domain="com.microsoft"), "/stem/Conv"),
        # Named after the value of the activation that was fused into it: back to the product.
        (onnx_node("Conv", ["x"], ["z"], name="r1_nchwc", domain="com.microsoft.nchwc"), "/stem/Conv"),
        (onnx_node("Relu", ["x"], ["z"], name="r1_nchwc"), "/act/Relu"),
        # No product lies right behind it: the runtime made a convolution of the normalisation itself.
        (onnx_node("Conv", ["x"], ["z"], name="normal_nchwc"), "/norm/BatchNormalization"),
        (onnx_node("FusedConv", ["x"], ["r1"], name="fused /stem/Conv"), "/stem/Conv"),
        (onnx_node("FusedConv", ["x"], ["z"], name="fused /stem/Conv"), "/stem/Conv"),
        (onnx_node("Sigmoid", ["x"], ["m"], name="anything"), "n12"),
        # Its own name counts for more than that of the value behind what was fused into it.
        (onnx_node("FusedConv", ["x"], ["m"], name="/stem/Conv", domain="com.microsoft"), "/stem/Conv"),
        (onnx_node("QLinearMul", ["x"], ["r1"], name="n12", domain="com.microsoft"), "n12"),
        # The longest name, whole: n12_token is no n1.
        (onnx_node("Mul", ["x"], ["z"], name="n12_token_3"), "n12"),
        (onnx_node("QGemm", ["x"], ["z"], name="/head/Gemm_token_1"), "/head/Gemm"),
    ],
)
def test_the_node_of_the_file_is_found_again(node, expected: str):
    origin = Origins(FILE).origin(node)
    assert origin is not None
    assert origin.name == expected


@pytest.mark.parametrize("name", ["", "n123", "Transpose_token_4"])
def test_a_node_that_the_runtime_put_in_has_no_origin(name: str):
    assert Origins(FILE).origin(onnx_node("Transpose", ["x"], ["z"], name=name)) is None


@pytest.mark.parametrize(
    ("node", "module"),
    [
        (onnx_node("Conv", ["x", "a.weight"], ["y"], name="node_Conv_3", scope="blocks.1.conv"), "blocks.1.conv"),
        (onnx_node("Conv", ["x", "a.weight"], ["y"], name="blocks.2.conv_dw/branch_1"), "blocks.2.conv_dw"),
        (onnx_node("Conv", ["x", "a"], ["y"], name="/blocks.0/dw/Conv"), "blocks.0/dw"),
        (onnx_node("Conv", ["x", "blocks.3.weight"], ["y"], name="node_Conv_3"), "blocks.3"),
        (onnx_node("Conv", ["x", "s", "blocks.3.weight_quantized"], ["y"]), "blocks.3"),
        (onnx_node("Relu", ["x"], ["y"], name="node_relu"), None),
        (onnx_node("Flatten", ["x"], ["y"], name="/Flatten"), None),
    ],
)
def test_the_module_of_a_node(node, module: str | None):
    assert module_of(node) == module


def test_without_a_module_the_best_name_there_is():
    origins = Origins(FILE)
    assert origins.where(onnx_node("Mul", ["x"], ["m"], name="fused")) == "n12"
    assert origins.where(onnx_node("Transpose", ["x"], ["z"], name="Transpose_4")) == "Transpose_4"
    assert origins.where(onnx_node("Transpose", ["x"], ["z"])) == "z"


def test_the_kernel_as_the_file_stores_it():
    file = onnx_graph(
        [
            onnx_node("Conv", ["x", "w"], ["a"], name="first"),
            onnx_node("DequantizeLinear", ["stored", "s"], ["unpacked"]),
            onnx_node("Conv", ["a", "unpacked"], ["b"], name="second"),
            onnx_node("Conv", ["b", "computed"], ["c"], name="third"),
        ],
        constants={"w": ("float", (9, 8, 3, 3)), "stored": ("int8", (7, 9, 1, 1))},
    )
    origins = Origins(file)
    shapes = {
        name: origins.kernel_shape(onnx_node("Conv", ["x"], ["z"], name=name)) for name in ("first", "second", "third")
    }
    assert shapes == {"first": (9, 8, 3, 3), "second": (7, 9, 1, 1), "third": None}
    assert origins.kernel_shape(onnx_node("Conv", ["x"], ["z"], name="other")) is None


def test_constants_that_the_file_stores_as_integers():
    origins = Origins(FILE)
    assert origins.is_dequantized_constant("unpacked")
    assert not origins.is_dequantized_constant("w2")
    assert not origins.is_dequantized_constant("m")


def test_a_kernel_of_several_pieces_is_a_constant_too():
    file = onnx_graph(
        [
            onnx_node("Pad", ["box", "pads"], ["padded"]),
            onnx_node("Concat", ["padded", "rest"], ["kernel"]),
            onnx_node("DequantizeLinear", ["kernel", "s"], ["real"]),
            onnx_node("Concat", ["padded", "x"], ["mixed"]),
            onnx_node("DequantizeLinear", ["mixed", "s"], ["computed"]),
        ],
        constants={name: ("int8", (4, 1, 3, 3)) for name in ("box", "rest", "pads")},
    )
    origins = Origins(file)
    assert origins.is_dequantized_constant("real")
    assert not origins.is_dequantized_constant("computed")
