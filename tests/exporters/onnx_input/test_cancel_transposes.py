"""Two Transposes are one, or none."""

from __future__ import annotations

import onnx_ir as ir
import pytest

from condmix.exporters.onnx_input.cancel_transposes import CancelTransposes
from condmix.exporters.rewrite.driver import run_rules
from tests.exporters.sketch import Sketch


def transposed(first: list[int], second: list[int]) -> ir.Model:
    s = Sketch()
    s.input("x", (2, 3, 4, 5))
    s.node("Transpose", ["x"], "a", perm=first)
    s.node("Transpose", ["a"], "b", perm=second)
    s.node("Relu", ["b"], "y")
    model = s.model("y")
    run_rules(model, [CancelTransposes()])
    return model


def test_there_and_back_is_nothing() -> None:
    assert [node.op_type for node in transposed([0, 2, 3, 1], [0, 3, 1, 2]).graph] == ["Relu"]


@pytest.mark.parametrize("second", [[1, 0, 3, 2], [0, 2, 3, 1]])
def test_two_are_one(second: list[int]) -> None:
    first = [0, 2, 3, 1]
    nodes = list(transposed(first, second).graph)
    assert [node.op_type for node in nodes] == ["Transpose", "Relu"]
    assert list(nodes[0].attributes["perm"].as_ints()) == [first[axis] for axis in second]


def test_the_graph_output_keeps_a_node_of_its_own() -> None:
    s = Sketch()
    s.input("x", (2, 3))
    s.node("Transpose", ["x"], "a", perm=[1, 0])
    s.node("Transpose", ["a"], "y", perm=[1, 0])
    model = s.model("y")
    run_rules(model, [CancelTransposes()])
    assert len(list(model.graph)) == 2
