"""Layers of all kinds are read alike, and written back as they were."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import module_path
from condmix.exporters.graph.splice import Replacement, Splicer
from condmix.exporters.quantize.improve.layers import Layer, read_layer, rebuilt
from condmix.exporters.quantize.parameters import INT8_SYMMETRIC
from tests.exporters.condconv_cases import CondConvCase, condconv_case, condconv_cases
from tests.exporters.conv_cases import exact_rule
from tests.exporters.graphs import assert_same, attributes_of, run
from tests.exporters.mixconv_cases import MixConvCase, mixconv_case, mixconv_cases
from tests.exporters.sketch import Sketch


def layer_of(model: ir.Model) -> Layer:
    (node,) = model.graph
    layer = read_layer(node)
    assert layer is not None
    return layer


def write_back(model: ir.Model, marks: dict[str, str] | None = None) -> None:
    layer = layer_of(model)
    builder = NodeBuilder(layer.path)
    result = rebuilt(layer, layer.parts, builder, marks=marks or {})
    splicer = Splicer(model.graph)
    splicer.apply(Replacement(removed=(layer.node,), results=((layer.output, result),), builder=builder))
    splicer.finish()


def gemm(**attributes: object) -> Sketch:
    sketch = Sketch()
    sketch.input("x", (1, 3))
    generator = np.random.default_rng(0)
    shape = (4, 3) if attributes.get("transB") else (3, 4)
    names = [
        sketch.constant("w", generator.standard_normal(shape).astype(np.float32)),
        sketch.constant("b", generator.standard_normal(4).astype(np.float32)),
    ]
    sketch.node("Gemm", ["x", *names], "y", module="head", **attributes)
    return sketch


@exact_rule
@given(case=condconv_cases())
def test_a_condconv_is_one_part_with_its_experts(case: CondConvCase) -> None:
    model = case.sketch().model("y")
    attributes = attributes_of(layer_of(model).node)
    write_back(model, {"mark": "1"})
    layer = layer_of(model)
    (part,) = layer.parts
    np.testing.assert_array_equal(part.weight_eoihw, case.experts_eoihw)
    np.testing.assert_array_equal(part.with_grouped(part.grouped).weight_eoihw, case.experts_eoihw)
    assert (layer.path, layer.routing is not None) == ("block.conv", True)
    assert (layer.node.metadata_props["mark"], module_path(layer.node)) == ("1", "block.conv")
    assert attributes_of(layer.node) == attributes
    assert_same(case.expected(), run(model, case.feeds)["y"])


@exact_rule
@given(case=mixconv_cases(depthwise=False))
def test_a_mixconv_has_a_part_for_each_branch(case: MixConvCase) -> None:
    model = case.sketch().model("y")
    attributes = attributes_of(layer_of(model).node)
    write_back(model)
    layer = layer_of(model)
    assert attributes_of(layer.node) == attributes
    assert (layer.parts[-1].inputs.stop, layer.parts[-1].outputs.stop) == (case.channels, case.out_channels)
    assert [part.outputs.stop - part.outputs.start for part in layer.parts] == [b.out_channels for b in case.branches]
    assert_same(case.expected(), run(model, {"x": case.images_nchw})["y"])


@pytest.mark.parametrize("transposed", [0, 1])
def test_a_gemm_is_a_convolution_of_size_one(transposed: int) -> None:
    model = gemm(transB=transposed).model("y")
    feeds = {"x": np.array([[1.0, -2.0, 0.5]], np.float32)}
    before = run(model, feeds)["y"]
    assert layer_of(model).parts[0].weight_eoihw.shape == (1, 4, 3, 1, 1)
    write_back(model)
    np.testing.assert_array_equal(run(model, feeds)["y"], before)


@pytest.mark.parametrize("attributes", [{"alpha": 2.0}, {"beta": 0.5}])
def test_a_gemm_with_factors_is_left_alone(attributes: dict[str, object]) -> None:
    (node,) = gemm(**attributes).model("y").graph
    assert read_layer(node) is None


def test_a_convolution_without_bias_gets_one() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 4, 3, 3))
    weight = np.random.default_rng(0).standard_normal((6, 2, 1, 3)).astype(np.float32)
    sketch.node("Conv", ["x", sketch.constant("w", weight)], "y", module="conv", group=2, strides=[2, 1])
    model = sketch.model("y")
    feeds = {"x": np.random.default_rng(1).standard_normal((1, 4, 3, 3)).astype(np.float32)}
    before = run(model, feeds)["y"]
    write_back(model)
    assert len(layer_of(model).node.inputs) == 3
    np.testing.assert_array_equal(run(model, feeds)["y"], before)


def test_a_computed_weight_or_bias_is_not_read() -> None:
    for computed in ("w", "b"):
        sketch = Sketch()
        sketch.input("x", (1, 2, 3, 3))
        sketch.input("w", (2, 2, 1, 1)) if computed == "w" else sketch.constant("w", np.ones((2, 2, 1, 1), np.float32))
        sketch.input("b", (2,)) if computed == "b" else sketch.constant("b", np.ones(2, np.float32))
        sketch.node("Conv", ["x", "w", "b"], "y")
        (node,) = sketch.model("y").graph
        assert read_layer(node) is None


@exact_rule
@given(case=condconv_cases())
def test_ranges_and_scaling_agree_channel_by_channel(case: CondConvCase) -> None:
    """By definition: the weight with one channel silenced; scaling a channel scales its range and no other."""
    (part,) = layer_of(case.sketch().model("y")).parts
    per_group = part.weight_eoihw.shape[2]
    out_per_group = case.conv.out_channels // case.conv.settings.group
    for channel in range(case.conv.in_channels):
        group, place = divmod(channel, per_group)
        own = part.weight_eoihw[:, group * out_per_group : (group + 1) * out_per_group, place]
        assert part.input_ranges()[channel] == np.abs(own).max()
    factor_i = np.exp(np.random.default_rng(0).standard_normal(case.conv.in_channels))
    factor_o = np.exp(np.random.default_rng(1).standard_normal(case.conv.out_channels))
    np.testing.assert_allclose(part.scaled_inputs(factor_i).input_ranges(), part.input_ranges() * factor_i)
    scaled = part.scaled_outputs(factor_o)
    np.testing.assert_allclose(scaled.output_ranges(), part.output_ranges() * factor_o)
    np.testing.assert_allclose(scaled.bias_o, part.bias_o * factor_o)
    if part.expert_bias_eo is not None and scaled.expert_bias_eo is not None:
        np.testing.assert_allclose(scaled.expert_bias_eo, part.expert_bias_eo * factor_o)


def test_all_experts_share_their_scales() -> None:
    case = condconv_case(out_channels=2, experts=2)
    case.experts_eoihw[1, 0, 0, 0, 0] = -12.7
    (part,) = layer_of(case.sketch().model("y")).parts
    scales = part.scales(INT8_SYMMETRIC)
    assert scales.shape == (2,)
    assert scales[0] == pytest.approx(0.1)


def test_branches_have_scales_of_their_own() -> None:
    layer = layer_of(mixconv_case().sketch().model("y"))
    assert [part.scales(INT8_SYMMETRIC).shape for part in layer.parts] == [(3,), (2,), (4,)]
