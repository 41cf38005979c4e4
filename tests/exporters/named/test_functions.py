"""A named graph is a valid ONNX file: its functions compute what every lowering computes."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.named.condconv import DOMAIN
from condmix.exporters.named.functions import attach_functions
from condmix.runtime.onnx_session import OnnxRuntimeBackend, Optimization
from tests.exporters.condconv_cases import CondConvCase, condconv_case, condconv_cases
from tests.exporters.conv_cases import exact_rule
from tests.exporters.graphs import assert_different, assert_same, lowered, run, to_bytes
from tests.exporters.mixconv_cases import MixConvCase, mixconv_case, mixconv_cases
from tests.exporters.sketch import Sketch


@exact_rule
@given(data=st.data(), expert_bias=st.booleans())
def test_a_condconv_runs_and_equals_its_lowering(data: st.DataObject, expert_bias: bool) -> None:
    case: CondConvCase = data.draw(condconv_cases(expert_bias=expert_bias))
    model = case.sketch().model("y")
    named = run(model, case.feeds)["y"]
    assert_same(case.expected(), named)
    lowered(model, 1)
    assert_same(named, run(model, case.feeds)["y"])


@pytest.mark.parametrize("branches", [2, 3, 4, 5])
@exact_rule
@given(data=st.data(), depthwise=st.booleans())
def test_a_mixconv_runs_and_equals_its_lowering(data: st.DataObject, branches: int, depthwise: bool) -> None:
    case: MixConvCase = data.draw(mixconv_cases(depthwise=depthwise, branches=(branches, branches)))
    model = case.sketch().model("y")
    named = run(model, {"x": case.images_nchw})["y"]
    assert_same(case.expected(), named)
    lowered(model, 1)
    assert_same(named, run(model, {"x": case.images_nchw})["y"])


def mixed_graph() -> Sketch:
    """Two CondConvs with one signature, one with expert biases, a MixConv."""
    sketch = Sketch()
    sketch.input("x", (1, 6, 7, 5))
    sketch.input("routing", (1, 3))
    plain = condconv_case(in_channels=6)
    plain.add_to(sketch, "x", "routing", "a")
    plain.add_to(sketch, "a", "routing", "b")
    condconv_case(in_channels=6, expert_bias=True).add_to(sketch, "b", "routing", "c")
    mixconv_case(in_channels=(2, 4), kernels=(3, 5), input_size=(7, 5)).add_to(sketch, "c", "y")
    return sketch


def test_one_function_for_each_operator_in_use() -> None:
    model = mixed_graph().model("y")
    attach_functions(model)
    assert sorted(name for _, name, _ in model.functions) == ["CondConv", "CondConvExpertBias", "MixConv2"]
    assert model.opset_imports[DOMAIN] == 1
    onnx.checker.check_model(ir.to_proto(model), full_check=True)


def test_functions_of_a_graph_without_named_nodes_are_removed() -> None:
    model = condconv_case().sketch().model("y")
    attach_functions(model)
    assert len(model.functions) == 1
    lowered(model, 1)
    attach_functions(model)
    assert len(model.functions) == 0
    assert DOMAIN not in model.opset_imports


def test_attaching_twice_changes_nothing() -> None:
    model = mixed_graph().model("y")
    attach_functions(model)
    once = ir.to_proto(model).SerializeToString(deterministic=True)
    attach_functions(model)
    assert ir.to_proto(model).SerializeToString(deterministic=True) == once


@pytest.mark.parametrize("optimization", list(Optimization))
def test_the_file_runs_at_every_optimisation_level(optimization: Optimization) -> None:
    case = condconv_case(images=1, expert_bias=True)
    session = OnnxRuntimeBackend().open(to_bytes(case.sketch().model("y")), threads=1, optimization=optimization)
    assert_same(case.expected(), np.asarray(session.run(case.feeds)["y"]))


def test_another_routing_is_noticed() -> None:
    case = condconv_case(images=2)
    model = case.sketch().model("y")
    first, second = (run(model, case.one(index))["y"] for index in (0, 1))
    assert_same(case.expected()[:1], first)
    crossed = {"x": case.images_nchw[:1], "routing": case.routing_ne[1:]}
    assert_different(case.expected()[:1], run(model, crossed)["y"])
    assert_same(case.expected()[1:], second)
