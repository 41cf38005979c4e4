"""MixConv -> BatchNorm is one MixConv: every branch takes its own channels of the norm."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.graph.facts import constant
from condmix.exporters.named.mixconv import is_mixconv
from condmix.exporters.rewrite.fold_batchnorm_into_mixconv import FoldBatchnormIntoMixconv
from tests.exporters.conv_cases import exact_rule, seeds
from tests.exporters.graphs import assert_different, assert_same, lowered, node_of, operators, rewrite, run
from tests.exporters.mixconv_cases import MixConvCase, mixconv_case, mixconv_cases
from tests.exporters.sketch import BatchNorm, Sketch

RULE = FoldBatchnormIntoMixconv()


def sketch_with(case: MixConvCase, norm: BatchNorm) -> Sketch:
    sketch = Sketch()
    sketch.input("x", (1, case.channels, *case.branches[0].input_size))
    case.add_to(sketch, "x", "mix")
    sketch.batchnorm("mix", "y", norm, module="block.norm")
    return sketch


@exact_rule
@given(data=st.data(), depthwise=st.booleans(), seed=seeds)
def test_the_norm_disappears_and_nothing_changes(data: st.DataObject, depthwise: bool, seed: int) -> None:
    case = data.draw(mixconv_cases(depthwise=depthwise))
    norm = BatchNorm.random(np.random.default_rng(seed), case.out_channels)
    model = sketch_with(case, norm).model("y")
    (step,) = rewrite(model, RULE)
    assert (step.rule, step.path, step.applied) == ("fold_batchnorm_into_mixconv", "block.norm", True)
    (node,) = model.graph
    assert is_mixconv(node)
    assert_same(norm.apply(case.expected()), run(model, {"x": case.images_nchw})["y"])


@pytest.mark.parametrize("form", ["parallel", "merged"])
def test_the_folded_layer_is_right_in_every_form(form: str) -> None:
    case = mixconv_case()
    norm = BatchNorm.random(np.random.default_rng(1), case.out_channels)
    model = sketch_with(case, norm).model("y")
    rewrite(model, RULE)
    lowered(model, None, mixconv=form)
    assert_same(norm.apply(case.expected()), run(model, {"x": case.images_nchw})["y"])


def test_a_layer_that_others_read_keeps_its_norm() -> None:
    case = mixconv_case()
    sketch = sketch_with(case, BatchNorm.random(np.random.default_rng(1), case.out_channels))
    sketch.node("Relu", ["mix"], "z")
    model = sketch.model("y", "z")
    (step,) = rewrite(model, RULE)
    assert (step.applied, step.note) == (False, "the MixConv in front has other readers")
    assert operators(model) == {"MixConv3": 1, "BatchNormalization": 1, "Relu": 1}


def test_a_norm_behind_something_else_is_not_its_business() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 3, 4, 4))
    sketch.node("Relu", ["x"], "active")
    sketch.batchnorm("active", "y", BatchNorm.random(np.random.default_rng(0), 3))
    assert rewrite(sketch.model("y"), RULE) == ()


def test_the_channels_of_another_branch_would_be_noticed() -> None:
    case = mixconv_case(in_channels=(3, 3), kernels=(3, 5), images=1)
    norm = BatchNorm.random(np.random.default_rng(1), 6)
    model = sketch_with(case, norm).model("y")
    rewrite(model, RULE)
    biases = [constant(value) for value in node_of(model, "MixConv2").inputs[3:5]]
    assert biases[0] is not None
    assert biases[1] is not None
    biases[0][:], biases[1][:] = biases[1].copy(), biases[0].copy()
    assert_different(norm.apply(case.expected()), run(model, {"x": case.images_nchw})["y"])
