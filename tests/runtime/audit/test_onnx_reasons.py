"""Why ONNX Runtime computes a node in float."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from condmix.runtime.audit.onnx_file import OnnxNode
from condmix.runtime.audit.onnx_names import Origins
from condmix.runtime.audit.onnx_reasons import WhyFloat, why_float
from condmix.runtime.audit.vocabulary import ADVICE, Reason
from tests.runtime.audit.graphs import onnx_graph, onnx_node, onnx_run

SHAPE = (1, 8, 4, 4)
CONSTANTS = {
    "w": ("float", SHAPE),
    "wq": ("int8", SHAPE),
    "wu": ("uint8", SHAPE),
    "b": ("float", (8,)),
    "s": ("float", ()),
}
EMPTY = onnx_graph([])


def dequantized(name: str, stored: str) -> OnnxNode:
    return onnx_node("DequantizeLinear", [stored, "s"], [name])


def why(
    nodes: Sequence[OnnxNode], *, before: str = "uint8", after: str = "uint8", outputs: Sequence[str] = (), file=EMPTY
) -> WhyFloat:
    """The reason of the node that writes y, where `x8` is fed in integers and `y8` is what y is quantised to."""
    types = {name: ("float", SHAPE) for name in ("x", "x2", "y", "moved")}
    types |= {"x8": (before, SHAPE), "y8": (after, SHAPE)}
    run = onnx_run(nodes, types=types, constants=CONSTANTS, outputs=outputs)
    (node,) = (node for node in nodes if "y" in node.outputs)
    return why_float(run, node, Origins(file))


X, W, Q = dequantized("x", "x8"), dequantized("wf", "wq"), onnx_node("QuantizeLinear", ["y", "s"], ["y8"])
CONV = onnx_node("Conv", ["x", "wf"], ["y"])


def test_nothing_is_quantised_around_it():
    assert why([onnx_node("Conv", ["x", "w"], ["y"])]).reason is Reason.NOT_QUANTIZED


def test_only_its_weights_are_integers_and_unpacked_at_each_run():
    assert why([W, CONV]).reason is Reason.WEIGHTS_ONLY


def test_only_its_weights_are_integers_in_the_file_and_unpacked_while_loading():
    file = onnx_graph([dequantized("w", "wq"), onnx_node("Conv", ["x", "w"], ["y"])], constants=CONSTANTS)
    node = onnx_node("Conv", ["x", "reorder"], ["y"])
    assert why([node], file=file).reason is Reason.WEIGHTS_ONLY
    assert why([onnx_node("Relu", ["x"], ["y"])], file=file).reason is Reason.NOT_QUANTIZED


def test_packed_weights():
    found = why([onnx_node("MatMulNBits", ["x", "wu"], ["y"], domain="com.microsoft")])
    assert (found.reason, found.detail) == (Reason.WEIGHTS_ONLY, "it unpacks them to multiply in float")


def test_one_side_only():
    assert why([X, W, CONV]).detail == "its output is not quantised"
    found = why([W, CONV, Q])
    assert (found.reason, found.detail) == (Reason.ONE_SIDE_ONLY, "not all of its inputs are quantised")
    assert found.advice == ADVICE[Reason.ONE_SIDE_ONLY]


def test_both_sides_but_no_integer_kernel():
    assert why([X, onnx_node("Erf", ["x"], ["y"]), Q]).reason is Reason.NO_INTEGER_KERNEL
    assert why([X, onnx_node("Erf", ["x"], ["y"])]).reason is Reason.NO_INTEGER_KERNEL


@pytest.mark.parametrize(
    ("nodes", "types", "detail"),
    [
        ([X, W, CONV, Q], ("uint8", "int8"), "it reads uint8 and writes int8"),
        ([X, W, CONV, Q], ("uint16", "uint16"), "its operands are uint16"),
        (
            [X, onnx_node("Relu", ["x"], ["moved"]), X, W, onnx_node("Conv", ["x", "wf", "b"], ["y"]), Q],
            ("uint8", "uint8"),
            "its bias is float",
        ),
        ([X, onnx_node("Mul", ["x", "s"], ["y"]), Q], ("uint8", "uint8"), "its constant operand is float"),
        # Kernels may be of another type than activations, other operands may not.
        (
            [X, W, onnx_node("Add", ["x", "wf"], ["y"]), Q],
            ("uint8", "uint8"),
            "it reads int8 and uint8 and writes uint8",
        ),
        (
            [X, W, onnx_node("Transpose", ["x"], ["moved"]), onnx_node("Conv", ["moved", "wf"], ["y"]), Q],
            ("uint8", "uint8"),
            "something that moves values stands between it and its dequantisation",
        ),
        (
            [X, W, CONV, Q, onnx_node("Relu", ["y"], ["z"])],
            ("uint8", "uint8"),
            "its float output is read elsewhere too",
        ),
        ([X, dequantized("wf", "wu"), CONV, Q], ("int8", "int8"), "its weights are uint8"),
        ([X, W, CONV, Q], ("uint8", "uint8"), ""),
    ],
)
def test_both_sides_and_what_stands_in_the_way(nodes: list, types: tuple[str, str], detail: str):
    found = why(nodes, before=types[0], after=types[1])
    assert (found.reason, found.detail) == (Reason.NOT_FUSED, detail)
    assert found.advice


def test_an_output_of_the_graph_is_read_elsewhere():
    assert why([X, W, CONV, Q], outputs=("y",)).detail == "its float output is read elsewhere too"
