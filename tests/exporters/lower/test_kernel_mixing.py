"""The pieces that several CondConv forms share: mixed kernels, and biases constant or mixed."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.splice import Replacement, Splicer
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.lower.kernel_mixing import add_bias, mix_kernels, mixed_bias
from condmix.exporters.named.condconv import CondConvLayer, read_condconv
from tests.exporters.condconv_cases import CondConvCase, condconv_case
from tests.exporters.graphs import assert_same, produced_by, run, with_batch


def layer_and_model(case: CondConvCase, size: int | None) -> tuple[CondConvLayer, ir.Model, BatchAxis]:
    model = case.sketch().model("y")
    batch = with_batch(model, size)
    return read_condconv(produced_by(model, "y")), model, batch


def run_instead(
    model: ir.Model, layer: CondConvLayer, builder: NodeBuilder, value: ir.Value, case: CondConvCase
) -> np.ndarray:
    """Run the graph with `value` in the place of the layer's output."""
    splicer = Splicer(model.graph)
    splicer.apply(Replacement(removed=(layer.node,), results=((layer.output, value),), builder=builder))
    splicer.finish()
    feeds = {value.name: case.feeds[value.name] for value in model.graph.inputs if value.name is not None}
    return run(model, feeds)["y"]


@pytest.mark.parametrize("size", [2, None])
def test_one_row_of_kernel_numbers_an_image(size: int | None) -> None:
    case = condconv_case()
    layer, model, batch = layer_and_model(case, size)
    builder = NodeBuilder(layer.path)
    mixed = mix_kernels(builder, layer, batch)
    assert mixed.shape == ir.Shape((1, size or "batch", case.experts_eoihw[0].size))
    flat = case.experts_eoihw.reshape(3, -1).astype(np.float64)
    assert_same((case.routing_ne @ flat)[None], run_instead(model, layer, builder, mixed, case))


def test_a_constant_bias_is_stored_as_it_is() -> None:
    case = condconv_case()
    layer, _, batch = layer_and_model(case, None)
    builder = NodeBuilder(layer.path)
    bias = mixed_bias(builder, layer, batch)
    assert builder.nodes == []
    assert bias.const_value is not None
    np.testing.assert_array_equal(bias.const_value.numpy(), case.bias_o)


def test_expert_biases_are_mixed_and_the_constant_part_is_not() -> None:
    case = condconv_case(expert_bias=True)
    layer, model, batch = layer_and_model(case, None)
    assert case.expert_bias_eo is not None
    builder = NodeBuilder(layer.path)
    bias = mixed_bias(builder, layer, batch)
    expected = case.routing_ne.astype(np.float64) @ case.expert_bias_eo + case.bias_o
    assert_same(expected, run_instead(model, layer, builder, bias, case))


@pytest.mark.parametrize("expert_bias", [False, True])
def test_the_bias_is_added_to_every_position(expert_bias: bool) -> None:
    case = condconv_case(in_channels=6, out_channels=6, expert_bias=expert_bias)
    layer, model, batch = layer_and_model(case, None)
    builder = NodeBuilder(layer.path)
    result = add_bias(builder, layer.x, layer, batch)
    bias_no = np.tile(case.bias_o.astype(np.float64), (2, 1))
    if case.expert_bias_eo is not None:
        bias_no += case.routing_ne.astype(np.float64) @ case.expert_bias_eo
    expected = case.images_nchw + bias_no[:, :, None, None]
    assert_same(expected, run_instead(model, layer, builder, result, case))


def test_nothing_is_added_where_the_bias_is_zero() -> None:
    case = condconv_case()
    case.bias_o[:] = 0
    layer, _, batch = layer_and_model(case, None)
    builder = NodeBuilder(layer.path)
    assert add_bias(builder, layer.x, layer, batch) is layer.x
    assert builder.nodes == []
