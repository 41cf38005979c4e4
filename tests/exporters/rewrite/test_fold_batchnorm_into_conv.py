"""Conv -> BatchNorm is one Conv; a convolution that others read keeps its norm."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.graph.facts import constant
from condmix.exporters.rewrite.fold_batchnorm_into_conv import FoldBatchnormIntoConv
from tests.exporters.conv_cases import ConvCase, conv_case, conv_cases, exact_rule, seeds
from tests.exporters.graphs import assert_different, assert_same, attributes_of, node_of, operators, rewrite, run
from tests.exporters.sketch import BatchNorm, Sketch

RULE = FoldBatchnormIntoConv()


class ConvAndNorm:
    """The numbers of a convolution and its norm, the graph, and the result in float64."""

    def __init__(self, case: ConvCase, *, bias: bool, seed: int) -> None:
        generator = np.random.default_rng(seed)
        self.case = case
        self.weight = case.weights(generator)
        self.bias = generator.standard_normal(case.out_channels).astype(np.float32) if bias else None
        self.norm = BatchNorm.random(generator, case.out_channels)
        self.images = case.images(generator)

    def sketch(self) -> Sketch:
        sketch = Sketch()
        sketch.input("x", (1, *self.images.shape[1:]))
        inputs = ["x", sketch.constant("w", self.weight)]
        if self.bias is not None:
            inputs.append(sketch.constant("b", self.bias))
        sketch.node("Conv", inputs, "conv", module="block.conv", **dict(self.case.settings.attributes()))
        sketch.batchnorm("conv", "y", self.norm)
        return sketch

    def expected(self) -> np.ndarray:
        settings = self.case.settings
        top, left, bottom, right = settings.pads
        padded = torch.nn.functional.pad(torch.from_numpy(self.images).double(), (left, right, top, bottom))
        bias = None if self.bias is None else torch.from_numpy(self.bias).double()
        weight = torch.from_numpy(self.weight).double()
        y = torch.nn.functional.conv2d(padded, weight, bias, settings.strides, 0, settings.dilations, settings.group)
        return self.norm.apply(y.numpy())


@exact_rule
@given(case=conv_cases(), bias=st.booleans(), seed=seeds)
def test_the_norm_disappears_and_nothing_changes(case: ConvCase, bias: bool, seed: int) -> None:
    both = ConvAndNorm(case, bias=bias, seed=seed)
    model = both.sketch().model("y")
    assert_same(both.expected(), run(model, {"x": both.images})["y"])
    (step,) = rewrite(model, RULE)
    assert (step.rule, step.applied) == ("fold_batchnorm_into_conv", True)
    assert operators(model) == {"Conv": 1}
    assert attributes_of(node_of(model, "Conv")) == dict(case.settings.attributes())
    assert_same(both.expected(), run(model, {"x": both.images})["y"])


def test_a_convolution_that_others_read_keeps_its_norm() -> None:
    both = ConvAndNorm(conv_case(), bias=True, seed=3)
    sketch = both.sketch()
    sketch.node("Relu", ["conv"], "z")
    model = sketch.model("y", "z")
    (step,) = rewrite(model, RULE)
    assert (step.applied, step.note) == (False, "the convolution in front has other readers")
    assert operators(model) == {"Conv": 1, "BatchNormalization": 1, "Relu": 1}


def test_a_convolution_that_the_network_returns_keeps_its_norm() -> None:
    model = ConvAndNorm(conv_case(), bias=True, seed=3).sketch().model("y", "conv")
    (step,) = rewrite(model, RULE)
    assert not step.applied


def test_a_norm_behind_something_else_is_not_its_business() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 3, 4, 4))
    sketch.node("Relu", ["x"], "active")
    sketch.batchnorm("active", "y", BatchNorm.random(np.random.default_rng(0), 3))
    assert rewrite(sketch.model("y"), RULE) == ()


@pytest.mark.parametrize("computed", ["weight", "bias"])
def test_a_computed_kernel_or_bias_is_not_its_business(computed: str) -> None:
    sketch = Sketch()
    sketch.input("x", (1, 3, 4, 4))
    sketch.input("given", (3, 3, 1, 1) if computed == "weight" else (3,))
    weight = sketch.constant("w", np.ones((3, 3, 1, 1), dtype=np.float32))
    sketch.node("Conv", ["x", "given"] if computed == "weight" else ["x", weight, "given"], "conv")
    sketch.batchnorm("conv", "y", BatchNorm.random(np.random.default_rng(0), 3))
    assert rewrite(sketch.model("y"), RULE) == ()


def test_a_kernel_with_one_spatial_axis_is_not_its_business() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 3, 4))
    sketch.node("Conv", ["x", sketch.constant("w", np.ones((3, 3, 1), dtype=np.float32))], "conv")
    sketch.batchnorm("conv", "y", BatchNorm.random(np.random.default_rng(0), 3))
    assert rewrite(sketch.model("y"), RULE) == ()


def test_a_weight_that_two_layers_share_is_folded_for_one_of_them() -> None:
    both = ConvAndNorm(conv_case(), bias=False, seed=3)
    sketch = both.sketch()
    sketch.node("Conv", ["x", "w"], "z", **dict(both.case.settings.attributes()))
    model = sketch.model("y", "z")
    before = run(model, {"x": both.images})
    assert len(rewrite(model, RULE)) == 1
    after = run(model, {"x": both.images})
    assert_same(both.expected(), after["y"])
    assert_same(before["z"], after["z"])


def test_a_forgotten_mean_would_be_noticed() -> None:
    both = ConvAndNorm(conv_case(), bias=True, seed=3)
    model = both.sketch().model("y")
    rewrite(model, RULE)
    bias = constant(node_of(model, "Conv").inputs[2])
    assert bias is not None
    gamma, _, mean, variance = both.norm.statistics
    bias += gamma * mean / np.sqrt(variance + both.norm.epsilon)
    assert_different(both.expected(), run(model, {"x": both.images})["y"])
