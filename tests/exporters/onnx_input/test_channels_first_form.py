"""Operators between two Transposes work on channels first, and both go."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from condmix.exporters.onnx_input.cancel_transposes import CancelTransposes
from condmix.exporters.onnx_input.channels_first_form import TO_CHANNELS_LAST, ChannelsFirstForm
from condmix.exporters.rewrite.driver import run_rules
from tests.exporters.graphs import operators, run
from tests.exporters.sketch import Sketch

X = np.random.default_rng(0).standard_normal((2, 6, 3, 4)).astype(np.float32)
LAST, FIRST = [0, 2, 3, 1], [0, 3, 1, 2]


def turned(perm: list[int] | None = None) -> Sketch:
    s = Sketch()
    s.input("x", X.shape)
    s.node("Transpose", ["x"], "last", perm=perm or LAST)
    return s


def rewritten(s: Sketch, *outputs: str) -> ir.Model:
    model = s.model(*outputs)
    before = run(model, {"x": X})
    run_rules(model, [CancelTransposes(), ChannelsFirstForm()])
    after = run(model, {"x": X})
    for name in outputs:
        np.testing.assert_allclose(after[name], before[name], atol=1e-6)
    return model


@pytest.mark.parametrize("perm", TO_CHANNELS_LAST)
def test_elementwise_with_constants_numbers_and_other_maps(perm: tuple[int, ...]) -> None:
    s = turned(list(perm))
    s.node("Relu", ["last"], "relu")
    s.constant("per_channel", np.arange(6, dtype=np.float32))
    s.node("Mul", ["relu", "per_channel"], "scaled")
    s.node("Add", ["scaled", s.constant("half", 0.5)], "moved")
    s.node("Clip", ["moved", s.constant("low", 0.0), s.constant("high", 6.0)], "clipped")
    s.node("Sigmoid", ["last"], "gate")
    s.node("Mul", ["clipped", "gate"], "gated")
    s.node("Transpose", ["gated"], "first", perm=[perm.index(axis) for axis in range(4)])
    s.node("Softmax", ["first"], "y")
    assert "Transpose" not in operators(rewritten(s, "y"))


def test_split_and_concat_of_channels() -> None:
    s = turned()
    s.node("Split", ["last", s.constant("lengths", [4, 2])], ["a", "b"], axis=-1)
    s.node("Relu", ["b"], "c")
    s.node("Concat", ["a", "c"], "joined", axis=3)
    s.node("Transpose", ["joined"], "first", perm=FIRST)
    s.node("Neg", ["first"], "y")
    model = rewritten(s, "y")
    assert operators(model) == {"Split": 1, "Relu": 1, "Concat": 1, "Neg": 1}
    assert [node.attributes["axis"].as_int() for node in model.graph if node.op_type in ("Split", "Concat")] == [1, 1]


@pytest.mark.parametrize("keepdims", [0, 1])
def test_means(keepdims: int) -> None:
    s = turned()
    s.node("ReduceMean", ["last", s.constant("axes", [1, 2])], "mean", keepdims=keepdims)
    s.node("Neg", ["mean"], "y")
    found = next(node for node in rewritten(s, "y").graph if node.op_type == "ReduceMean")
    axes = found.inputs[1]
    assert axes is not None
    assert axes.const_value is not None
    assert axes.const_value.numpy().tolist() == [2, 3]


def test_a_map_that_is_channels_last_already_is_turned() -> None:
    s = turned()
    s.input("other", (2, 3, 4, 6))
    s.node("Add", ["last", "other"], "sum")
    s.node("Transpose", ["sum"], "first", perm=FIRST)
    s.node("Neg", ["first"], "y")
    model = s.model("y")
    run_rules(model, [CancelTransposes(), ChannelsFirstForm()])
    assert [node.op_type for node in model.graph] == ["Transpose", "Add", "Neg"]


def test_what_would_not_be_the_same_stays() -> None:
    s = turned()
    s.node("ReduceMean", ["last", s.constant("rows", [0])], "b", keepdims=0)  # (h, w, c): in another order
    s.node("Softmax", ["last"], "c")
    s.node("MatMul", ["last", s.constant("weight", np.ones((6, 2), np.float32))], "d")
    assert operators(rewritten(s, "b", "c", "d"))["Transpose"] == 1
