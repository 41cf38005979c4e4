"""Rounded weights lie on the grid that every lowering finds again, and the layer's output is nearer to float."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.quantize.improve import correct_bias
from condmix.exporters.quantize.improve.adaptive_rounding import MARK, AdaptiveRounding, rounded
from condmix.exporters.quantize.improve.layers import Layer, Part, read_layer
from condmix.exporters.quantize.improve.patches import Seen, samples
from condmix.exporters.quantize.parameters import INT7_SYMMETRIC, INT8_SYMMETRIC, Grid
from condmix.exporters.records import RewriteStep
from condmix.exporters.rewrite.driver import run_rules
from condmix.exporters.rewrite.rule import Exactness
from tests.exporters.condconv_cases import CondConvCase, condconv_case, condconv_cases
from tests.exporters.conv_cases import exact_rule, seeds
from tests.exporters.graphs import assert_same, run
from tests.exporters.mixconv_cases import mixconv_case
from tests.exporters.quantize.improve.rounding import numbers_of, on_grid
from tests.exporters.sketch import Sketch

COARSE = Grid(low=-3, high=3)


def layer_of(model: ir.Model) -> Layer:
    (node,) = model.graph
    layer = read_layer(node)
    assert layer is not None
    return layer


def random_seen(layer: Layer, experts: int, seed: int, rows: int = 80) -> Seen:
    """Inputs that hang together: neighbours in an image do."""
    generator = np.random.default_rng(seed)
    patches = []
    for part in layer.parts:
        columns = int(np.prod(part.weight_eoihw.shape[2:]))
        shape = (rows, part.settings.group, columns)
        patches.append((generator.standard_normal(shape) + generator.standard_normal((rows, 1, 1))).astype(np.float32))
    routing = generator.uniform(0, 1, (rows, experts)).astype(np.float32)
    return Seen(patches=tuple(patches), routing=routing)


def apply(model: ir.Model, rule: AdaptiveRounding) -> tuple[RewriteStep, ...]:
    return run_rules(model, (rule,), approximate=frozenset({rule.name}))


def output_of(part: Part, patches: np.ndarray, routing: np.ndarray) -> np.ndarray:
    """What the part makes of the samples, (rows, group, out / group), in float64."""
    weight = part.grouped.reshape(*part.grouped.shape[:3], -1).astype(np.float64)
    static: np.ndarray = np.einsum("ngk,egok,ne->ngo", patches, weight, routing, optimize=True)
    return static + part.bias_o.reshape(part.settings.group, -1)


@exact_rule
@given(case=condconv_cases(), seed=seeds, grid=st.sampled_from([COARSE, INT7_SYMMETRIC, INT8_SYMMETRIC]))
def test_every_lowering_finds_the_same_numbers_again(case: CondConvCase, seed: int, grid: Grid) -> None:
    """Weights are whole multiples of the scale that follows from them, which is the scale from before."""
    model = case.sketch().model("y")
    before = layer_of(model).parts[0]
    seen = random_seen(layer_of(model), len(case.experts_eoihw), seed)
    (step,) = apply(model, AdaptiveRounding({"y": seen}, grid=grid))
    assert step.applied
    (part,) = layer_of(model).parts
    np.testing.assert_allclose(part.scales(grid), before.scales(grid), rtol=2e-7)
    numbers = numbers_of(part, grid)
    scales = before.scales(grid).astype(np.float64)[None, :, None, None, None]
    np.testing.assert_allclose(numbers * scales, part.weight_eoihw, rtol=1e-6)
    assert (np.abs(numbers).max(axis=(0, 2, 3, 4)) == grid.high).all()


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize(("group", "left"), [(1, 0.36), (2, 0.46), (6, 0.7)])
def test_the_output_moves_less_than_by_plain_rounding(group: int, left: float, with_bias: bool) -> None:
    """`left`: which share of the error may be left; the fewer columns there are, the less can be compensated."""
    case = condconv_case(in_channels=12, out_channels=12, group=group, experts=1)
    layer = layer_of(case.sketch().model("y"))
    (part,) = layer.parts
    seen = random_seen(layer, 1, 0, rows=400)
    exact = output_of(part, seen.patches[0], seen.routing)
    plain = layer_of(on_grid(case.sketch().model("y"), COARSE)).parts[0]
    better = rounded(part, seen.patches[0], seen.routing, COARSE, with_bias=with_bias)
    errors = [float(((output_of(item, seen.patches[0], seen.routing) - exact) ** 2).mean()) for item in (plain, better)]
    assert errors[1] < left * errors[0]
    if with_bias:
        mean = (output_of(better, seen.patches[0], seen.routing) - exact).mean(axis=0)
        np.testing.assert_allclose(mean, 0, atol=1e-6)
    else:
        np.testing.assert_array_equal(better.bias_o, part.bias_o)


def test_each_expert_answers_to_the_images_that_open_it() -> None:
    """Expert 0 is open on inputs of channel 0 alone, expert 1 on those where both are equal: only it can compensate."""
    case = condconv_case(in_channels=2, out_channels=1, kernel=(1, 1), experts=2)
    experts = np.array([[1.0, 0.4], [0.4, 0.4]], np.float32).reshape(2, 1, 2, 1, 1)
    (part,) = layer_of(replace(case, experts_eoihw=experts).sketch().model("y")).parts
    x = np.array([[1, 0], [1, 0], [1, 1], [1, 1]], np.float32)[:, None]
    routing = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], np.float32)
    grid = Grid(low=-1, high=1)
    numbers = numbers_of(rounded(part, x, routing, grid), grid).reshape(2, 2)
    # 0.4 + 0.4 is nearer to 0 + 1 than to 0 + 0.
    assert numbers[0].tolist() == [1, 0]
    assert sorted(numbers[1].tolist()) == [0, 1]


def test_branches_of_a_mixconv_are_rounded_channel_by_channel() -> None:
    case = mixconv_case(images=8)
    # Neighbours in an image hang together: noise alone leaves nothing to compensate.
    case.images_nchw[:] += np.random.default_rng(1).standard_normal((8, 9, 1, 1))
    model = case.sketch().model("y")
    exact = np.concatenate([run(model, {"x": image[None]})["y"] for image in case.images_nchw])
    plain = on_grid(model, COARSE)
    (seen,) = samples(model, [layer_of(model)], case.images_nchw, lambda _: None)
    apply(model, AdaptiveRounding(seen, grid=COARSE))
    # The weights are on the grid already: nothing more happens to them.
    again = on_grid(model, COARSE)
    errors = []
    for item in (plain, model, again):
        outputs = np.concatenate([run(item, {"x": image[None]})["y"] for image in case.images_nchw])
        errors.append(float(((outputs - exact) ** 2).mean()))
    assert errors[1] < 0.9 * errors[0]
    assert errors[2] == pytest.approx(errors[1], rel=1e-4)


def test_a_gemm_is_rounded_too() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 12))
    weight = np.random.default_rng(0).standard_normal((5, 12)).astype(np.float32)
    sketch.node("Gemm", ["x", sketch.constant("w", weight)], "y", module="head", transB=1)
    model = sketch.model("y")
    ((note, path),) = [
        (step.note, step.path) for step in apply(model, AdaptiveRounding({"y": random_seen(layer_of(model), 1, 0)}))
    ]
    assert (note, path) == ("rounded by 80 samples of its input", "head")
    assert_same(
        run(on_grid(model, INT8_SYMMETRIC), {"x": np.ones((1, 12), np.float32)})["y"],
        run(model, {"x": np.ones((1, 12), np.float32)})["y"],
    )


def test_it_happens_once_and_only_where_there_are_samples() -> None:
    model = condconv_case().sketch().model("y")
    seen = random_seen(layer_of(model), 3, 0)
    assert apply(model, AdaptiveRounding({"other": seen})) == ()
    assert len(apply(model, AdaptiveRounding({"y": seen}))) == 1
    assert MARK in layer_of(model).node.metadata_props
    assert correct_bias.MARK not in layer_of(model).node.metadata_props
    assert apply(model, AdaptiveRounding({"y": seen})) == ()


def test_with_the_bias_there_is_nothing_left_to_correct() -> None:
    model = condconv_case().sketch().model("y")
    apply(model, AdaptiveRounding({"y": random_seen(layer_of(model), 3, 0)}, with_bias=True))
    assert {MARK, correct_bias.MARK} <= set(layer_of(model).node.metadata_props)


def test_inputs_that_are_no_numbers_are_refused() -> None:
    model = condconv_case().sketch().model("y")
    seen = random_seen(layer_of(model), 3, 0)
    seen.patches[0][3, 0, 1] = np.nan
    (step,) = apply(model, AdaptiveRounding({"y": seen}))
    assert (step.applied, step.note) == (False, "its input is not finite on a calibration image")


def test_it_is_approximate_and_runs_only_when_named() -> None:
    model = condconv_case().sketch().model("y")
    rule = AdaptiveRounding({"y": random_seen(layer_of(model), 3, 0)})
    assert rule.exactness is Exactness.APPROXIMATE
    assert run_rules(model, (rule,)) == ()
