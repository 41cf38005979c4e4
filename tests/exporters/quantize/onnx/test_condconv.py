"""CondConv's forms for int8 are exact before anything is rounded."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.splice import Replacement, Splicer
from condmix.exporters.named.condconv import CondConvLayer, read_condconv
from condmix.exporters.quantize.onnx.condconv import LoweredCondConv, build_condconv_int8, form_name
from tests.exporters.condconv_cases import CondConvCase, condconv_case, condconv_cases
from tests.exporters.conv_cases import exact_rule
from tests.exporters.graphs import assert_same, node_of, operators, run


def lowered(case: CondConvCase):  # type: ignore[no-untyped-def]
    model = case.sketch().model("y")
    layer = read_condconv(node_of(model, "CondConv" if case.expert_bias_eo is None else "CondConvExpertBias"))
    builder = NodeBuilder(layer.path)
    result = build_condconv_int8(builder, layer)
    splicer = Splicer(model.graph)
    splicer.apply(Replacement(removed=(layer.node,), results=((layer.output, result.output),), builder=builder))
    splicer.finish()
    return model, layer, result


@exact_rule
@given(case=st.one_of(condconv_cases(), condconv_cases(pointwise=True)))
def test_every_form_is_the_layer(case: CondConvCase) -> None:
    model, _, _ = lowered(case)
    (result,) = run(model, case.one(0)).values()
    assert_same(case.expected(), result)


@pytest.mark.parametrize(
    ("kernel", "group", "form", "product"),
    [((1, 1), 1, "gemm", "Gemm"), ((3, 3), 1, "kernel", "Conv"), ((1, 1), 2, "kernel", "Conv")],
)
def test_points_are_a_matrix_product(kernel: tuple[int, int], group: int, form: str, product: str) -> None:
    model, layer, _ = lowered(condconv_case(kernel=kernel, group=group))
    assert form_name(layer) == form
    assert operators(model)[product] == 1


def records(case: CondConvCase) -> tuple[CondConvLayer, LoweredCondConv]:
    _, layer, result = lowered(case)
    return layer, result


def test_the_record_of_a_kernel() -> None:
    layer, result = records(condconv_case(kernel=(1, 1), in_channels=4, out_channels=6))
    kernel = result.mixed_kernel(layer)
    assert (kernel.routing, kernel.shape, kernel.output_axis, kernel.is_depthwise) == ("routing", (4, 6), 1, False)
    assert kernel.experts_eoihw is layer.experts_eoihw
    assert result.mixed_bias(layer) is None


def test_the_record_of_a_depthwise_kernel() -> None:
    layer, result = records(condconv_case(in_channels=6, out_channels=6, group=6))
    kernel = result.mixed_kernel(layer)
    assert (kernel.shape, kernel.output_axis, kernel.is_depthwise) == ((6, 1, 3, 3), 0, True)


@pytest.mark.parametrize("kernel", [(1, 1), (3, 3)])
def test_the_record_of_a_bias(kernel: tuple[int, int]) -> None:
    case = condconv_case(kernel=kernel, expert_bias=True)
    layer, result = records(case)
    bias = result.mixed_bias(layer)
    assert bias is not None
    assert case.expert_bias_eo is not None
    assert (bias.routing, bias.output) == ("routing", "y")
    assert bias.image != bias.output
    exact = case.routing_ne.astype(np.float64) @ case.expert_bias_eo + case.bias_o
    np.testing.assert_allclose(bias.rows(case.routing_ne), exact, rtol=1e-12)
