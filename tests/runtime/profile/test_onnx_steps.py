"""Nodes of an optimised graph as steps."""

from __future__ import annotations

import pytest

from condmix.runtime.audit.onnx_names import Origins
from condmix.runtime.profile.onnx_steps import onnx_steps, tells_modules
from condmix.runtime.profile.step import Family, Step
from tests.runtime.audit.graphs import onnx_node, onnx_run

TYPES = {"x": ("float", (1, 8, 4, 4)), "y": ("float", (1, 8, 4, 4)), "k": ("float", (8, 8, 1, 1))}
CONSTANTS = {"w": ("float", (8, 8, 1, 1)), "dw": ("float", (8, 1, 3, 3)), "kk": ("int8", (8, 8, 3, 3))}


def steps_of(*nodes, file_nodes=None, types=None, by_module: bool = True) -> tuple[Step, ...]:
    run = onnx_run(nodes, types={**TYPES, **(types or {})}, constants=CONSTANTS)
    object.__setattr__(run, "feeds", {"x": None})
    file = onnx_run(file_nodes or nodes, types={}, constants=CONSTANTS).graph
    return onnx_steps(run, Origins(file), by_module=by_module)[0].steps


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (onnx_node("Conv", ["x", "w"], ["y"]), Family.POINTWISE),
        (onnx_node("FusedConv", ["x", "dw"], ["y"], domain="com.microsoft", group=8), Family.DEPTHWISE),
        (onnx_node("QLinearConv", ["x", "", "", "kk"], ["y"]), Family.CONVOLUTION),
        (onnx_node("MatMulIntegerToFloat", ["x", "w"], ["y"]), Family.PRODUCT),
        (onnx_node("QLinearGlobalAveragePool", ["x"], ["y"]), Family.POOL),
        (onnx_node("ReduceMean", ["x"], ["y"]), Family.POOL),
        (onnx_node("ReorderInput", ["x"], ["y"], domain="com.microsoft.nchwc"), Family.LAYOUT),
        (onnx_node("Concat", ["x"], ["y"]), Family.SPLIT_CONCAT),
        (onnx_node("DequantizeLinear", ["x"], ["y"]), Family.BOUNDARY),
        (onnx_node("Reshape", ["x"], ["y"]), Family.RESHAPE),
        (onnx_node("Sigmoid", ["x"], ["y"]), Family.ELEMENTWISE),
        (onnx_node("Shape", ["x"], ["y"]), Family.OTHER),
    ],
)
def test_every_node_belongs_to_a_family(node, expected: Family):
    assert steps_of(node)[0].family is expected


def test_work_and_bytes_are_those_of_the_shapes():
    conv, reshape = steps_of(onnx_node("Conv", ["x", "w"], ["y"]), onnx_node("Reshape", ["y"], ["z"]))
    assert conv.multiply_adds == 8 * 16 * 8
    assert conv.size_bytes == 4 * (128 + 64 + 128)
    assert reshape.size_bytes == 0  # nothing moves


def test_only_a_kernel_that_depends_on_the_input_is_computed():
    mixed, unpacked = onnx_node("MatMul", ["x", "w"], ["k"]), onnx_node("DequantizeLinear", ["kk"], ["c"])
    found = steps_of(mixed, unpacked, onnx_node("Conv", ["x", "k"], ["y"]), onnx_node("Conv", ["x", "c"], ["y"]))
    assert [step.kernel for step in found] == [None, None, "k", None]
    assert [step.inputs for step in found] == [("x",), (), ("x", "k"), ("x",)]


@pytest.mark.parametrize(
    ("scope", "weight", "expected"),
    [
        ("blocks.1.bn1", "blocks.1.conv_pw.weight", "blocks.1.conv_pw"),  # the BatchNorm was folded into it
        ("bn2", "conv_head.weight", "conv_head"),
        ("blocks.1.conv_pw", "blocks.0.other.weight", "blocks.1.conv_pw"),  # equal weights are stored once
        ("blocks.1.conv_pw", "onnx::Conv_7", "blocks.1.conv_pw"),
    ],
)
def test_a_weight_of_a_module_beside_tells_better_than_the_note_of_the_exporter(scope, weight, expected):
    node = onnx_node("Conv", ["x", weight], ["y"], name="node_Conv_1", scope=scope)
    assert steps_of(node)[0].module == expected


def test_old_names_become_module_paths_and_what_the_engine_put_in_has_none():
    old = onnx_node("Conv", ["x", "w"], ["y"], name="/blocks/blocks.0/conv/Conv")
    added = onnx_node("ReorderInput", ["y"], ["z"], name="ReorderInput")
    assert [step.module for step in steps_of(old, added, file_nodes=[old])] == ["blocks.0.conv", None]


def test_files_without_modules_are_listed_by_node():
    nodes = [onnx_node("Conv", ["x", "w"], ["y"], name="Conv_12"), onnx_node("Conv", ["y", "w"], ["z"])]
    run = onnx_run(nodes, types=TYPES, constants=CONSTANTS)
    origins = Origins(run.graph)
    assert not tells_modules(run, origins)
    assert [step.module for step in onnx_steps(run, origins, by_module=False)[0].steps] == ["Conv_12", "z"]


def test_what_is_not_counted_is_said():
    run = onnx_run([onnx_node("LSTM", ["x", "w"], ["y"])], types=TYPES, constants=CONSTANTS)
    assert onnx_steps(run, Origins(run.graph), by_module=True)[1] == 1
