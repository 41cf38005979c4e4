"""CondConv -> BatchNorm is one CondConv: the scale goes into every expert, the shift is not mixed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given

from condmix.exporters.graph.batchnorm import batchnorm_affine
from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import static_shape
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.named.condconv import build_condconv, is_condconv, read_condconv
from condmix.exporters.rewrite.fold_batchnorm_into_condconv import FoldBatchnormIntoCondconv
from condmix.exporters.rewrite.rule import Exactness
from tests.exporters.condconv_cases import CondConvCase, condconv_case, condconv_cases
from tests.exporters.conv_cases import exact_rule, seeds
from tests.exporters.graphs import assert_different, assert_same, attributes_of, lowered, operators, rewrite, run
from tests.exporters.sketch import BatchNorm, Sketch

RULE = FoldBatchnormIntoCondconv()


def sketch_with(case: CondConvCase, norm: BatchNorm) -> Sketch:
    sketch = Sketch()
    sketch.input("x", (1, case.conv.in_channels, *case.conv.input_size))
    sketch.input("routing", (1, len(case.experts_eoihw)))
    case.add_to(sketch, "x", "routing", "conv")
    sketch.batchnorm("conv", "y", norm, module="block.norm")
    return sketch


@exact_rule
@given(case=condconv_cases(), seed=seeds)
def test_the_norm_disappears_and_nothing_changes(case: CondConvCase, seed: int) -> None:
    norm = BatchNorm.random(np.random.default_rng(seed), case.conv.out_channels)
    model = sketch_with(case, norm).model("y")
    (step,) = rewrite(model, RULE)
    assert (step.rule, step.path, step.applied) == ("fold_batchnorm_into_condconv", "block.norm", True)
    (node,) = model.graph
    assert is_condconv(node)
    assert len(node.inputs) == 4 + (case.expert_bias_eo is not None)
    assert attributes_of(node) == dict(case.conv.settings.attributes())
    assert_same(norm.apply(case.expected()), run(model, case.feeds)["y"])


@pytest.mark.parametrize("form", ["experts", "matmul", "grouped"])
def test_the_folded_layer_is_right_in_every_form(form: str) -> None:
    case = condconv_case(expert_bias=True, images=3)
    norm = BatchNorm.random(np.random.default_rng(1), 6)
    model = sketch_with(case, norm).model("y")
    rewrite(model, RULE)
    lowered(model, 3, condconv=form)
    assert_same(norm.apply(case.expected()), run(model, case.feeds)["y"])


def test_a_layer_that_others_read_keeps_its_norm() -> None:
    sketch = sketch_with(condconv_case(), BatchNorm.random(np.random.default_rng(1), 6))
    sketch.node("Relu", ["conv"], "z")
    model = sketch.model("y", "z")
    (step,) = rewrite(model, RULE)
    assert (step.applied, step.note) == (False, "the CondConv in front has other readers")
    assert operators(model) == {"CondConv": 1, "BatchNormalization": 1, "Relu": 1}


def test_a_norm_behind_a_plain_convolution_is_not_its_business() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 3, 4, 4))
    sketch.node("Conv", ["x", sketch.constant("w", np.ones((3, 3, 1, 1), dtype=np.float32))], "conv")
    sketch.batchnorm("conv", "y", BatchNorm.random(np.random.default_rng(1), 3))
    assert rewrite(sketch.model("y"), RULE) == ()


@dataclass(frozen=True)
class BrokenFold:
    """The fold with one of the faults that have been made with it."""

    fault: str
    name: str = "broken_fold"
    exactness: Exactness = Exactness.EXACT

    def match(self, node: ir.Node) -> Replacement | None:
        named = node.inputs[0].producer() if node.inputs and node.inputs[0] is not None else None
        affine = batchnorm_affine(node)
        if named is None or affine is None:
            return None
        layer = read_condconv(named)
        experts = layer.experts_eoihw * affine.scale[None, :, None, None, None]
        bias, expert_bias = layer.bias_o * affine.scale + affine.shift, None
        if self.fault == "shift multiplied by the routing":
            bias, expert_bias = layer.bias_o * affine.scale, np.tile(affine.shift, (layer.experts, 1))
        elif self.fault == "experts permuted":
            experts = experts[::-1]
        elif self.fault == "scale of another channel":
            experts = layer.experts_eoihw * affine.scale[None, ::-1, None, None, None]
        elif self.fault == "bias not scaled":
            bias = layer.bias_o + affine.shift
        builder = NodeBuilder(layer.path)
        arguments = (builder, layer.x, layer.routing, experts, bias, expert_bias, layer.settings)
        result = build_condconv(*arguments, static_shape(node.outputs[0]))
        return Replacement(removed=(named, node), results=((node.outputs[0], result),), builder=builder)


@pytest.mark.parametrize(
    ("fault", "noticed"),
    [
        ("none", False),
        ("shift multiplied by the routing", True),
        ("experts permuted", True),
        ("scale of another channel", True),
        ("bias not scaled", True),
    ],
)
def test_a_broken_fold_would_be_noticed(fault: str, noticed: bool) -> None:
    case = condconv_case(images=1)
    norm = BatchNorm.random(np.random.default_rng(1), 6)
    model = sketch_with(case, norm).model("y")
    assert len(rewrite(model, BrokenFold(fault=fault))) == 1
    check = assert_different if noticed else assert_same
    check(norm.apply(case.expected()), run(model, case.feeds)["y"])
