"""The corrected bias is right on average: what rounding adds to the mean of the output is gone, up to the borders."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given

from condmix.exporters.quantize.improve.correct_bias import MARK, CorrectBias, mean_shift
from condmix.exporters.quantize.improve.layers import Layer, read_layer
from condmix.exporters.quantize.parameters import INT8_SYMMETRIC, Grid
from condmix.exporters.quantize.ranges import Ranges
from condmix.exporters.rewrite.driver import run_rules
from condmix.exporters.rewrite.rule import Exactness
from tests.exporters.condconv_cases import CondConvCase, condconv_case, condconv_cases
from tests.exporters.conv_cases import exact_rule
from tests.exporters.graphs import assert_same, run
from tests.exporters.mixconv_cases import mixconv_case
from tests.exporters.quantize.improve.rounding import on_grid
from tests.exporters.sketch import Sketch

COARSE = Grid(low=-3, high=3)
"""Of so few steps that a shift is far above the rounding of float32."""


def ranges(means: dict[str, np.ndarray], routing: dict[str, np.ndarray] | None = None) -> Ranges:
    return Ranges(
        method="minmax", image_count=1, images_sha256="0", values={}, channel_means=means, routing=routing or {}
    )


def layer_of(model: ir.Model) -> Layer:
    (node,) = model.graph
    layer = read_layer(node)
    assert layer is not None
    return layer


def correct(model: ir.Model, known: Ranges, **choices: frozenset[str]) -> list[tuple[bool, str]]:
    rule = CorrectBias(known, grid=COARSE, **choices)
    steps = run_rules(model, (rule,), approximate=frozenset({rule.name}))
    return [(step.applied, step.note) for step in steps]


@exact_rule
@given(case=condconv_cases())
def test_on_a_constant_image_without_borders_the_rounded_condconv_is_right(case: CondConvCase) -> None:
    """Every input is its own mean then, and nothing else is left of the error."""
    settings = replace(case.conv.settings, pads=(0, 0, 0, 0))
    size = (12, 12)
    conv = replace(case.conv, settings=settings, input_size=size)
    levels = np.linspace(-1, 2, conv.in_channels, dtype=np.float32)
    images = np.broadcast_to(levels[None, :, None, None], (1, conv.in_channels, *size)).copy()
    case = replace(case, conv=conv, images_nchw=images)
    model = case.sketch().model("y")
    assert correct(model, ranges({"x": levels}, {"routing": case.routing_ne}))[0][0]
    assert_same(case.expected(), run(on_grid(model, COARSE), case.feeds)["y"])


def test_branches_take_their_own_means() -> None:
    case = mixconv_case(kernels=(1, 1, 1), images=1)
    levels = np.linspace(-1, 2, 9, dtype=np.float32)
    images = np.broadcast_to(levels[None, :, None, None], (1, 9, 9, 8)).copy()
    model = mixconv_case(kernels=(1, 1, 1), images=1).sketch().model("y")
    rounded_only = run(on_grid(model, COARSE), {"x": images})["y"]
    np.testing.assert_allclose(rounded_only, case.expected(images), rtol=1e-6)  # one weight a channel is on any grid
    case = mixconv_case(images=1)
    model = case.sketch().model("y")
    correct(model, ranges({"x": levels}))
    inside = np.s_[:, :, 3:-3, 3:-3]  # the largest kernel, 7x7, sees no border here
    assert_same(case.expected(images)[inside], run(on_grid(model, COARSE), {"x": images})["y"][inside])


def test_the_mean_over_varied_images_is_kept_for_a_static_layer() -> None:
    generator = np.random.default_rng(0)
    sketch = Sketch()
    sketch.input("x", (1, 4))
    weight = generator.standard_normal((3, 4)).astype(np.float32)
    sketch.node("Gemm", ["x", sketch.constant("w", weight)], "y", module="head", transB=1)
    rows = generator.standard_normal((50, 4)).astype(np.float32) + 1
    model = sketch.model("y")
    exact = np.concatenate([run(model, {"x": row[None]})["y"] for row in rows]).mean(axis=0)
    ((applied, note),) = correct(model, ranges({"x": rows.mean(axis=0)}))
    assert applied
    assert note.startswith("the bias takes back a shift of 0.")
    rounded = on_grid(model, COARSE)
    assert_same(exact, np.concatenate([run(rounded, {"x": row[None]})["y"] for row in rows]).mean(axis=0))


def test_weights_stay_as_they_are_and_it_happens_once() -> None:
    case = condconv_case()
    model = case.sketch().model("y")
    known = ranges({"x": np.ones(4)}, {"routing": case.routing_ne})
    assert len(correct(model, known)) == 1
    layer = layer_of(model)
    assert MARK in layer.node.metadata_props
    np.testing.assert_array_equal(layer.parts[0].weight_eoihw, case.experts_eoihw)
    bias = layer.parts[0].bias_o
    assert not np.array_equal(bias, case.bias_o)
    assert correct(model, known) == []
    np.testing.assert_array_equal(layer_of(model).parts[0].bias_o, bias)


def test_the_shift_is_the_definition() -> None:
    case = condconv_case(group=2, in_channels=4, out_channels=6)
    (part,) = layer_of(case.sketch().model("y")).parts
    (rounded,) = layer_of(on_grid(case.sketch().model("y"), INT8_SYMMETRIC)).parts
    means, routing = np.array([1.0, -2.0, 0.5, 3.0]), np.array([0.2, 0.9, -0.1])
    expected = np.zeros(6)
    for output in range(6):
        for place in range(2):
            change = (rounded.weight_eoihw - part.weight_eoihw)[:, output, place].sum(axis=(1, 2), dtype=np.float64)
            expected[output] += (change * routing).sum() * means[2 * (output // 3) + place]
    np.testing.assert_allclose(mean_shift(part, means, routing, INT8_SYMMETRIC), expected, atol=1e-7)


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        (ranges({}), "calibration knows no channel means of 'x'"),
        (ranges({"x": np.ones(3)}), "calibration knows no channel means of 'x'"),
        (ranges({"x": np.ones(4)}), "calibration knows no routing of 'routing'"),
    ],
)
def test_what_calibration_did_not_see_is_refused(known: Ranges, reason: str) -> None:
    assert correct(condconv_case().sketch().model("y"), known) == [(False, reason)]


def test_a_layer_to_be_left_alone_is() -> None:
    known = ranges({"x": np.ones(4)}, {"routing": np.ones((1, 3))})
    assert correct(condconv_case().sketch().model("y"), known, left_alone=frozenset({"y"})) == []


def test_it_is_approximate_and_runs_only_when_named() -> None:
    rule = CorrectBias(ranges({"x": np.ones(4)}, {"routing": np.ones((1, 3))}))
    assert rule.exactness is Exactness.APPROXIMATE
    assert run_rules(condconv_case().sketch().model("y"), (rule,)) == ()
