"""Zeros in front of a convolution move into its pads; every other Pad stays where it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.rewrite.static_same_padding import StaticSamePadding
from tests.exporters.condconv_cases import CondConvCase, condconv_case, condconv_cases
from tests.exporters.conv_cases import ConvCase, conv_cases, exact_rule, output_size, seeds
from tests.exporters.graphs import assert_different, assert_same, attributes_of, node_of, operators, rewrite, run
from tests.exporters.sketch import Sketch

RULE = StaticSamePadding()
REFUSAL = "the padding is not constant, not of zeros, or not only spatial"

Pads = tuple[int, int, int, int]
pad_amounts = st.tuples(*[st.integers(0, 3)] * 4)


def add_pad(sketch: Sketch, x: str, output: str, pads: Pads, form: str) -> str:
    """A Pad of (top, left, bottom, right) in one of the ways in which it can be written."""
    top, left, bottom, right = pads
    if form == "all axes":
        inputs = [x, sketch.constant("amounts", [0, 0, top, left, 0, 0, bottom, right])]
    elif form == "spatial axes":
        inputs = [x, sketch.constant("amounts", pads), "", sketch.constant("axes", [2, 3])]
    else:
        amounts, zero = sketch.constant("amounts", [left, top, right, bottom]), sketch.constant("zero", 0.0)
        inputs = [x, amounts, zero, sketch.constant("axes", [-1, -2])]
    return sketch.node("Pad", inputs, output, module="block.pad")


def plus(settings_pads: Pads, pads: Pads) -> Pads:
    top, left, bottom, right = (a + b for a, b in zip(settings_pads, pads, strict=True))
    return top, left, bottom, right


@exact_rule
@given(
    case=conv_cases(),
    pads=pad_amounts,
    form=st.sampled_from(["all axes", "spatial axes", "other order"]),
    seed=seeds,
)
def test_a_convolution_takes_the_padding_in(case: ConvCase, pads: Pads, form: str, seed: int) -> None:
    generator = np.random.default_rng(seed)
    sketch = Sketch()
    sketch.input("x", (1, case.in_channels, *case.input_size))
    add_pad(sketch, "x", "padded", pads, form)
    inputs = ["padded", sketch.constant("w", case.weights(generator))]
    attributes = dict(case.settings.attributes())
    sketch.node("Conv", inputs, "y", module="block.conv", **attributes)
    model = sketch.model("y")
    feeds = {"x": case.images(generator)}
    before = run(model, feeds)["y"]
    (step,) = rewrite(model, RULE)
    assert (step.applied, step.path) == (True, "block.conv")
    assert operators(model) == {"Conv": 1}
    assert attributes_of(node_of(model, "Conv")) == {**attributes, "pads": plus(case.settings.pads, pads)}
    assert_same(before, run(model, feeds)["y"])


@exact_rule
@given(case=condconv_cases(), pads=pad_amounts)
def test_a_condconv_takes_the_padding_in(case: CondConvCase, pads: Pads) -> None:
    top, left, bottom, right = pads
    settings = replace(case.conv.settings, pads=plus(case.conv.settings.pads, pads))
    whole = replace(case, conv=replace(case.conv, settings=settings))
    sketch = Sketch()
    sketch.input("x", (1, case.conv.in_channels, *case.conv.input_size))
    sketch.input("routing", (1, len(case.experts_eoihw)))
    add_pad(sketch, "x", "padded", pads, "all axes")
    height, width = case.conv.input_size
    enlarged = replace(case.conv, input_size=(height + top + bottom, width + left + right))
    replace(case, conv=enlarged).add_to(sketch, "padded", "routing", "y")
    model = sketch.model("y")
    assert len(rewrite(model, RULE)) == 1
    assert "Pad" not in operators(model)
    assert attributes_of(next(iter(model.graph)))["pads"] == settings.pads
    assert_same(whole.expected(), run(model, case.feeds)["y"])


def padded_conv(pad: str, **attributes: object) -> ir.Model:
    """x (1, 2, 4, 4) -> one particular Pad -> 3x3 convolution."""
    sketch = Sketch()
    sketch.input("x", (1, 2, 4, 4))
    spatial = [0, 0, 1, 1, 0, 0, 1, 1]
    inputs = {
        "reflect": ["x", sketch.constant("amounts", spatial)],
        "ones": ["x", sketch.constant("amounts", spatial), sketch.constant("one", 1.0)],
        "channels": ["x", sketch.constant("amounts", [0, 1, 1, 1, 0, 0, 1, 1])],
        "cropping": ["x", sketch.constant("amounts", [0, 0, -1, 0, 0, 0, 0, 0])],
    }[pad]
    sketch.node("Pad", inputs, "padded", mode="reflect" if pad == "reflect" else "constant")
    weight = np.ones((1, 3 if pad == "channels" else 2, 3, 3), dtype=np.float32)
    sketch.node("Conv", ["padded", sketch.constant("w", weight)], "y", module="conv", **attributes)
    return sketch.model("y")


@pytest.mark.parametrize("pad", ["reflect", "ones", "channels", "cropping"])
def test_other_paddings_are_refused(pad: str) -> None:
    model = padded_conv(pad)
    (step,) = rewrite(model, RULE)
    assert (step.applied, step.path, step.note) == (False, "conv", REFUSAL)
    assert operators(model) == {"Pad": 1, "Conv": 1}


def test_a_padding_that_others_read_stays_for_them() -> None:
    case = condconv_case(images=1)
    generator = np.random.default_rng(0)
    sketch = Sketch()
    sketch.input("x", (1, 4, 7, 5))
    add_pad(sketch, "x", "padded", (1, 0, 2, 3), "all axes")
    sketch.node("Conv", ["padded", sketch.constant("w", case.conv.weights(generator))], "y")
    sketch.node("Relu", ["padded"], "z")
    model = sketch.model("y", "z")
    feeds = {"x": case.images_nchw}
    before = run(model, feeds)
    assert len(rewrite(model, RULE)) == 1
    assert operators(model) == {"Pad": 1, "Conv": 1, "Relu": 1}
    after = run(model, feeds)
    assert_same(before["y"], after["y"])
    np.testing.assert_array_equal(before["z"], after["z"])


def test_a_convolution_without_padding_in_front_is_not_its_business() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 2, 4, 4))
    sketch.node("Relu", ["x"], "active")
    weight = np.ones((1, 2, 3, 3), dtype=np.float32)
    sketch.node("Conv", ["active", sketch.constant("w", weight)], "y")
    assert rewrite(sketch.model("y"), RULE) == ()


def test_pads_on_the_wrong_side_would_be_noticed() -> None:
    case = condconv_case(images=1)
    generator = np.random.default_rng(1)
    settings = replace(case.conv.settings, pads=(0, 0, 0, 0))
    sketch = Sketch()
    sketch.input("x", (1, 4, 7, 5))
    add_pad(sketch, "x", "padded", (0, 0, 1, 1), "all axes")
    weight = sketch.constant("w", case.conv.weights(generator))
    sketch.node("Conv", ["padded", weight], "y", **dict(settings.attributes()))
    model = sketch.model("y")
    feeds = {"x": case.images_nchw}
    before = run(model, feeds)["y"]
    rewrite(model, RULE)
    node_of(model, "Conv").attributes["pads"] = ir.AttrInt64s("pads", (1, 1, 0, 0))
    assert output_size(settings, (8, 6)) == before.shape[2:]
    assert_different(before, run(model, feeds)["y"])
