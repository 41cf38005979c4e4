"""Equalisation keeps the function; ranges on both sides are the same afterwards; what does not scale is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.quantize.improve import equalise
from condmix.exporters.quantize.improve.equalise import LARGEST_FACTOR, Equalise, channel_factors
from condmix.exporters.quantize.improve.layers import Layer, Part, read_layer
from condmix.exporters.rewrite.rule import Exactness
from tests.exporters.condconv_cases import CondConvCase, condconv_case, condconv_cases
from tests.exporters.conv_cases import exact_rule, seeds
from tests.exporters.graphs import FLOAT32_LIMIT, assert_different, assert_same, operators, rewrite, rounding_error, run
from tests.exporters.mixconv_cases import MixConvCase, mixconv_cases
from tests.exporters.sketch import Sketch

RULE = Equalise()
ACTIVATIONS = ("none", "Relu", "LeakyRelu", "PRelu", "pool")


def layers_of(model: ir.Model) -> list[Layer]:
    return [layer for node in model.graph if (layer := read_layer(node)) is not None]


def uneven(case: CondConvCase, generator: np.random.Generator, *, bias: bool = True) -> CondConvCase:
    """The same with output channels of very different sizes."""
    sizes = np.exp(generator.uniform(-3, 3, case.conv.out_channels)).astype(np.float32)
    return replace(
        case,
        experts_eoihw=case.experts_eoihw * sizes[None, :, None, None, None],
        bias_o=case.bias_o * sizes * bias,
        expert_bias_eo=None if case.expert_bias_eo is None else case.expert_bias_eo * sizes * bias,
    )


def between(sketch: Sketch, x: str, activation: str, channels: int) -> str:
    """One of the operators that scale with their input."""
    if activation == "PRelu":
        slopes = np.linspace(-0.5, 0.5, channels, dtype=np.float32).reshape(channels, 1, 1)
        return sketch.node("PRelu", [x, sketch.constant("slopes", slopes)], "between", module="act")
    if activation == "pool":
        sketch.node("Relu", [x], "relu", module="act")
        attributes = {"kernel_shape": [2, 2], "pads": [1, 1, 1, 1], "count_include_pad": 1}
        return sketch.node("AveragePool", ["relu"], "between", module="pool", **attributes)
    attributes = {"alpha": 0.2} if activation == "LeakyRelu" else {}
    return x if activation == "none" else sketch.node(activation, [x], "between", module="act", **attributes)


def conv_behind(sketch: Sketch, x: str, channels: int, generator: np.random.Generator, group: int = 1) -> str:
    """A Conv with three outputs a group that reads the channels with weights of very different sizes."""
    weight = generator.standard_normal((3 * group, channels // group, 1, 1))
    weight *= np.exp(generator.uniform(-3, 3, (1, channels // group, 1, 1)))
    names = [
        sketch.constant("behind.w", weight.astype(np.float32)),
        sketch.constant("behind.b", generator.standard_normal(3 * group).astype(np.float32)),
    ]
    return sketch.node("Conv", [x, *names], "y", module="behind", group=group)


def sketch_with(case: CondConvCase, activation: str, seed: int, *, grouped: bool = False) -> Sketch:
    sketch = Sketch()
    sketch.input("x", (1, case.conv.in_channels, *case.conv.input_size))
    sketch.input("routing", (1, len(case.experts_eoihw)))
    case.add_to(sketch, "x", "routing", "conv")
    channels = case.conv.out_channels
    group = case.conv.settings.group if grouped else 1
    conv_behind(sketch, between(sketch, "conv", activation, channels), channels, np.random.default_rng(seed), group)
    return sketch


@exact_rule
@given(case=condconv_cases(), seed=seeds, activation=st.sampled_from(ACTIVATIONS), grouped=st.booleans())
def test_a_condconv_and_what_follows_keep_their_function(
    case: CondConvCase, seed: int, activation: str, grouped: bool
) -> None:
    case = uneven(case, np.random.default_rng(seed))
    model = sketch_with(case, activation, seed, grouped=grouped).model("y")
    before, counts = run(model, case.feeds)["y"], operators(model)
    rewrite(model, RULE)
    assert_same(before, run(model, case.feeds)["y"])
    assert operators(model) == counts


@exact_rule
@given(case=condconv_cases(), seed=seeds, grouped=st.booleans())
def test_ranges_on_both_sides_are_the_same_afterwards(case: CondConvCase, seed: int, grouped: bool) -> None:
    case = uneven(case, np.random.default_rng(seed), bias=False)
    model = sketch_with(case, "Relu", seed, grouped=grouped).model("y")
    steps = rewrite(model, RULE)
    writer, reader = layers_of(model)
    written, read = writer.parts[0].output_ranges(), reader.parts[0].input_ranges()
    if steps:
        np.testing.assert_allclose(written, read, rtol=1e-5)
    else:
        np.testing.assert_allclose(written, read, rtol=equalise.LEAST_FACTOR**2 - 1)


@exact_rule
@given(case=mixconv_cases(), seed=seeds, in_front=st.booleans())
def test_a_mixconv_gives_and_takes_branch_by_branch(case: MixConvCase, seed: int, in_front: bool) -> None:
    generator = np.random.default_rng(seed)
    case = replace(case, biases_o=tuple(np.zeros_like(bias) for bias in case.biases_o))
    sketch = Sketch()
    sketch.input("x", (1, case.channels, *case.branches[0].input_size))
    if in_front:
        case.add_to(sketch, "x", "mix")
        conv_behind(sketch, sketch.node("Relu", ["mix"], "relu"), case.channels, generator)
    else:
        weight = generator.standard_normal((case.channels, case.channels, 1, 1))
        weight *= np.exp(generator.uniform(-3, 3, (case.channels, 1, 1, 1)))
        sketch.node("Conv", ["x", sketch.constant("w", weight.astype(np.float32))], "conv", module="conv")
        case.add_to(sketch, sketch.node("Relu", ["conv"], "relu"), "y")
    model = sketch.model("y")
    before = run(model, {"x": case.images_nchw})["y"]
    steps = rewrite(model, RULE)
    assert_same(before, run(model, {"x": case.images_nchw})["y"])
    writer, reader = layers_of(model)
    written = np.concatenate([part.output_ranges() for part in writer.parts])
    read = np.concatenate([part.input_ranges() for part in reader.parts])
    np.testing.assert_allclose(written, read, rtol=1e-5 if steps else equalise.LEAST_FACTOR**2 - 1)


def test_pooling_and_flattening_in_front_of_a_classifier_are_no_hindrance() -> None:
    case = uneven(condconv_case(images=1), np.random.default_rng(3))
    sketch = Sketch()
    sketch.input("x", (1, 4, 7, 5))
    sketch.input("routing", (1, 3))
    case.add_to(sketch, "x", "routing", "conv")
    sketch.node("Relu", ["conv"], "relu")
    sketch.node("GlobalAveragePool", ["relu"], "pooled")
    sketch.node("Flatten", ["pooled"], "flat", module="flatten")
    weight = np.random.default_rng(0).standard_normal((5, 6)).astype(np.float32)
    sketch.node("Gemm", ["flat", sketch.constant("w", weight)], "y", module="head", transB=1)
    model = sketch.model("y")
    before = run(model, case.feeds)["y"]
    steps = rewrite(model, RULE)
    assert [(step.path, step.applied) for step in steps] == [("head", True)]
    assert steps[0].note.startswith("6 channels behind 'block.conv' scaled, by ")
    assert_same(before, run(model, case.feeds)["y"])


def test_a_long_chain_settles() -> None:
    generator = np.random.default_rng(0)
    sketch = Sketch()
    value = sketch.input("x", (1, 6, 4, 4))
    for index in range(24):
        group = 6 if index % 2 else 1
        weight = generator.standard_normal((6, 6 // group, 1, 1)) * np.exp(generator.uniform(-3, 3, (6, 1, 1, 1)))
        weight /= np.sqrt((weight**2).sum())
        names = [sketch.constant(f"w{index}", weight.astype(np.float32))]
        names.append(sketch.constant(f"b{index}", generator.standard_normal(6).astype(np.float32)))
        sketch.node("Conv", [value, *names], f"conv{index}", module=f"conv{index}", group=group)
        value = sketch.node("Relu", [f"conv{index}"], f"relu{index}")
    model = sketch.model(value)
    feeds = {"x": generator.standard_normal((1, 6, 4, 4)).astype(np.float32)}
    before = run(model, feeds)[value]
    rewrite(model, RULE)
    # 24 layers sum up the rounding of 24 layers.
    assert rounding_error(before, run(model, feeds)[value]) <= 24 * FLOAT32_LIMIT


@pytest.mark.parametrize(
    ("activation", "reason"),
    [
        ("Clip", "Clip does not scale with its input"),
        ("Sigmoid", "Sigmoid does not scale with its input"),
        ("HardSwish", "HardSwish does not scale with its input"),
        ("SiLU", "Mul does not scale with its input"),
    ],
)
def test_what_does_not_scale_is_refused(activation: str, reason: str) -> None:
    case = uneven(condconv_case(), np.random.default_rng(0))
    sketch = Sketch()
    sketch.input("x", (1, 4, 7, 5))
    sketch.input("routing", (1, 3))
    case.add_to(sketch, "x", "routing", "conv")
    if activation == "SiLU":
        sketch.node("Mul", ["conv", sketch.node("Sigmoid", ["conv"], "gate")], "between")
    elif activation == "Clip":
        sketch.node("Clip", ["conv", sketch.constant("low", 0.0), sketch.constant("high", 6.0)], "between")
    else:
        sketch.node(activation, ["conv"], "between")
    conv_behind(sketch, "between", 6, np.random.default_rng(0))
    (step,) = rewrite(sketch.model("y"), RULE)
    assert (step.path, step.applied, step.note) == ("behind", False, reason)


@pytest.mark.parametrize("read_again", ["conv", "between"])
def test_values_with_other_readers_are_refused(read_again: str) -> None:
    sketch = sketch_with(uneven(condconv_case(), np.random.default_rng(0)), "Relu", 0)
    sketch.node("Abs", [read_again], "z")
    (step,) = rewrite(sketch.model("y", "z"), RULE)
    assert (step.applied, step.note) == (False, "'conv' has other readers")


def test_a_layer_behind_a_sum_is_not_its_business() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 6, 4, 4))
    sketch.node("Add", ["x", "x"], "sum")
    conv_behind(sketch, sketch.node("Relu", ["sum"], "relu"), 6, np.random.default_rng(0))
    assert rewrite(sketch.model("y"), RULE) == ()


def test_scaled_values_get_new_names_and_the_result_keeps_its_own() -> None:
    case = uneven(condconv_case(), np.random.default_rng(0))
    model = sketch_with(case, "Relu", 0).model("y")
    assert len(rewrite(model, RULE)) == 1
    names = [node.outputs[0].name for node in model.graph]
    assert names == ["block.conv/equalised", "block.conv/equalised_2", "y"]
    assert [node.metadata_props["condmix.module"] for node in model.graph] == ["block.conv", "act", "behind"]


def test_dead_channels_keep_their_size() -> None:
    factors = channel_factors(np.array([0.0, 4.0, 1.0]), np.array([1.0, 1.0, 0.0]), np.zeros(3))
    np.testing.assert_allclose(factors, [1.0, 2.0, 1.0])
    np.testing.assert_array_equal(channel_factors(np.zeros(2), np.ones(2), np.ones(2)), [1.0, 1.0])


def test_no_bias_outgrows_the_largest() -> None:
    """Channel 0 is tiny but has a bias: enlarging it a hundredfold would ruin the range of the activations."""
    written, bias = np.array([1e-4, 1.0, 1.0, 1.0]), np.array([0.5, 1.0, 0.2, 0.0])
    factors = channel_factors(written, np.ones(4), bias)
    np.testing.assert_allclose(factors, [0.5, 1.0, 1.0, 1.0])
    np.testing.assert_allclose(channel_factors(written, np.ones(4), 0 * bias), [0.01, 1.0, 1.0, 1.0])


def test_factors_are_limited() -> None:
    factors = channel_factors(np.array([1e-12, 1.0, 1e12]), np.ones(3), np.zeros(3))
    np.testing.assert_allclose(factors, [1 / LARGEST_FACTOR, 1.0, LARGEST_FACTOR])


def test_it_is_exact_and_a_bias_left_unscaled_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert RULE.exactness is Exactness.EXACT
    case = uneven(condconv_case(images=1, expert_bias=True), np.random.default_rng(0))
    model = sketch_with(case, "Relu", 0).model("y")
    before = run(model, case.feeds)["y"]
    right = Part.scaled_outputs
    monkeypatch.setattr(Part, "scaled_outputs", lambda part, factor: replace(right(part, factor), bias_o=part.bias_o))
    rewrite(model, RULE)
    assert_different(before, run(model, case.feeds)["y"])
