"""Concat -> BatchNorm becomes one norm a branch, and those fold: no norm remains."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.rewrite.fold_batchnorm_into_condconv import FoldBatchnormIntoCondconv
from condmix.exporters.rewrite.fold_batchnorm_into_conv import FoldBatchnormIntoConv
from condmix.exporters.rewrite.fold_batchnorm_into_mixconv import FoldBatchnormIntoMixconv
from condmix.exporters.rewrite.fold_batchnorm_through_concat import FoldBatchnormThroughConcat
from tests.exporters.condconv_cases import condconv_case
from tests.exporters.conv_cases import conv_case, exact_rule, seeds
from tests.exporters.graphs import assert_different, assert_same, operators, produced_by, rewrite, run
from tests.exporters.mixconv_cases import mixconv_case
from tests.exporters.sketch import BatchNorm, Sketch

RULE = FoldBatchnormThroughConcat()
FOLDING = (RULE, FoldBatchnormIntoCondconv(), FoldBatchnormIntoMixconv(), FoldBatchnormIntoConv())
REFUSAL = "not every branch of the Concat is a convolution with no other reader"
FEEDS = {
    "x": np.random.default_rng(7).standard_normal((1, 4, 7, 5)).astype(np.float32),
    "routing": np.random.default_rng(8).uniform(-0.5, 1.5, (1, 3)).astype(np.float32),
}


def sketch_of(kinds: list[str], seed: int, *, axis: int = 1) -> tuple[Sketch, BatchNorm]:
    """x through one branch a kind, Concat, BatchNorm y. `routing` feeds the CondConvs."""
    generator = np.random.default_rng(seed)
    sketch = Sketch()
    sketch.input("x", (1, 4, 7, 5))
    sketch.input("routing", (1, 3))
    channels = 0
    for index, kind in enumerate(kinds):
        output = f"branch{index}"
        if kind == "condconv":
            condconv_case(out_channels=6, seed=seed).add_to(sketch, "x", "routing", output)
            channels += 6
        elif kind == "mixconv":
            case = mixconv_case(in_channels=(1, 3), kernels=(3, 5), input_size=(7, 5), seed=seed)
            case.add_to(sketch, "x", output)
            channels += 4
        elif kind == "conv":
            out = int(generator.integers(1, 5))
            conv = conv_case(out_channels=out)
            weight = sketch.constant(f"w{index}", conv.weights(generator))
            sketch.node("Conv", ["x", weight], output, module="block.conv", **dict(conv.settings.attributes()))
            channels += out
        else:
            sketch.node(kind, ["x"], output)
            channels += 4
    # Reading the routing keeps it an input of every case.
    sketch.node("Neg", ["routing"], "z")
    sketch.node("Concat", [f"branch{index}" for index in range(len(kinds))], "joined", module="block", axis=axis)
    norm = BatchNorm.random(generator, channels)
    sketch.batchnorm("joined", "y", norm, module="block.norm")
    return sketch, norm


def before_norm(model: ir.Model, norm: BatchNorm) -> np.ndarray:
    """The norm's result in float64, from its input as ONNX Runtime computes it."""
    copy = model.clone()
    copy.graph.outputs.append(produced_by(copy, "joined").outputs[0])
    return norm.apply(run(copy, FEEDS)["joined"].astype(np.float64))


@exact_rule
@given(
    kinds=st.lists(st.sampled_from(["conv", "condconv", "mixconv"]), min_size=1, max_size=4),
    axis=st.sampled_from([1, -3]),
    seed=seeds,
)
def test_no_norm_remains_and_nothing_changes(kinds: list[str], axis: int, seed: int) -> None:
    sketch, norm = sketch_of(kinds, seed, axis=axis)
    model = sketch.model("y", "z")
    expected = before_norm(model, norm)
    steps = rewrite(model, *FOLDING)
    assert all(step.applied for step in steps)
    assert len(steps) == 1 + len(kinds)
    assert operators(model)["BatchNormalization"] == 0
    assert produced_by(model, "y").op_type == "Concat"
    assert_same(expected, run(model, FEEDS)["y"])


def test_alone_it_gives_every_branch_its_own_norm() -> None:
    sketch, norm = sketch_of(["conv", "condconv"], 1)
    model = sketch.model("y", "z")
    expected = before_norm(model, norm)
    (step,) = rewrite(model, RULE)
    assert (step.rule, step.path) == ("fold_batchnorm_through_concat", "block.norm")
    assert operators(model)["BatchNormalization"] == 2
    assert_same(expected, run(model, FEEDS)["y"])


def test_a_branch_that_is_no_convolution_forbids_it() -> None:
    sketch, _ = sketch_of(["conv", "Relu"], 1)
    model = sketch.model("y", "z")
    (step,) = rewrite(model, RULE)
    assert (step.applied, step.note) == (False, REFUSAL)
    assert operators(model)["BatchNormalization"] == 1


@pytest.mark.parametrize("value", ["branch0", "joined"])
def test_another_reader_forbids_it(value: str) -> None:
    sketch, _ = sketch_of(["conv", "conv"], 1)
    sketch.node("Relu", [value], "other")
    (step,) = rewrite(sketch.model("y", "z", "other"), RULE)
    assert (step.applied, step.note) == (False, REFUSAL)


def test_a_concat_on_another_axis_is_not_its_business() -> None:
    sketch, _ = sketch_of(["Relu", "Abs"], 1, axis=3)
    gamma = BatchNorm.random(np.random.default_rng(0), 4)
    sketch.batchnorm("joined", "w", gamma)
    assert rewrite(sketch.model("w", "z"), RULE) == ()


def test_parts_of_the_norm_on_the_wrong_branches_would_be_noticed() -> None:
    sketch, norm = sketch_of(["condconv", "condconv"], 1)
    model = sketch.model("y", "z")
    expected = before_norm(model, norm)
    rewrite(model, RULE)
    concat = produced_by(model, "y")
    first, second = concat.inputs
    concat.replace_input_with(0, second)
    concat.replace_input_with(1, first)
    assert_different(expected, run(model, FEEDS)["y"])
