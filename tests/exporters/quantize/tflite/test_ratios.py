"""Scales are made coarser just where XNNPACK would refuse, or end the process; fixed ones never."""

from __future__ import annotations

import numpy as np
import pytest

from condmix.exporters.quantize.parameters import INT8, Affine
from condmix.exporters.quantize.tflite.plan import plan_model
from condmix.exporters.quantize.tflite.ratios import PRODUCT_RATIOS, SUM_RATIOS, within_ratios
from condmix.exporters.quantize.tflite.scales import INTEGERS, held_tensors
from condmix.exporters.tflite.lower_graph import lower_graph
from condmix.runtime.delegate_coverage import coverage
from tests.exporters.graphs import run
from tests.exporters.quantize.tflite.calibrated import built, outputs, quality_db, rows_of
from tests.exporters.sketch import Sketch
from tests.exporters.tflite.running import open_file


def summed(small: float) -> Sketch:
    """A convolution and one that is `small` of it, added."""
    generator = np.random.default_rng(0)
    weight = generator.standard_normal((4, 4, 1, 1)).astype(np.float32)
    sketch = Sketch()
    sketch.input("x", (1, 4, 6, 6))
    sketch.node("Conv", ["x", sketch.constant("w", weight)], "a", kernel_shape=(1, 1))
    sketch.node("Conv", ["x", sketch.constant("v", small * weight)], "b", kernel_shape=(1, 1))
    sketch.node("Add", ["a", "b"], "y")
    return sketch


def scales_of(sketch: Sketch, given: dict[str, float], *fixed: str) -> dict[str, float]:
    model = lower_graph(sketch.model("y"), description="").model
    plan = plan_model(model, "full", frozenset())
    held = held_tensors(model, plan, INTEGERS["full"])
    group = {tensor.name: held.ties.group(item) for item, tensor in held.tensors.items()}
    scales = {group[name]: Affine(scale=given.get(name.split("_")[0], 1.0), zero_point=0, grid=INT8) for name in group}
    found = within_ratios(model, plan, held.ties, frozenset(group[name] for name in fixed), scales)
    return {name: found[own].scale for name, own in group.items()}


def test_ordinary_scales_are_kept() -> None:
    given = {"x": 0.01, "a": 0.02, "b": 0.001, "y": 0.03}
    found = scales_of(summed(0.1), given)
    assert {name: found[name] for name in given} == given


@pytest.mark.parametrize("small", [1e-4, 1e-9])
def test_a_side_that_is_far_smaller_than_the_sum_gets_coarser(small: float) -> None:
    found = scales_of(summed(1.0), {"x": 0.01, "a": 1.0, "b": small, "y": 1.0})
    assert found["a"] == found["y"] == 1.0
    assert SUM_RATIOS[0] < found["b"] < 0.1


def test_a_sum_that_is_far_smaller_than_its_sides_gets_coarser() -> None:
    found = scales_of(summed(1.0), {"x": 0.01, "a": 1.0, "b": 1.0, "y": 1e-6})
    assert 1.0 / SUM_RATIOS[1] < found["y"] < 1.0


def test_a_convolution_that_gives_next_to_nothing_gets_coarser() -> None:
    found = scales_of(summed(1.0), {"x": 1.0, "a": 1e-9, "b": 1.0, "y": 1.0})
    assert found["a"] * PRODUCT_RATIOS[1] > 1 / 127


def test_fixed_scales_stay() -> None:
    assert scales_of(summed(1.0), {"x": 0.01, "a": 1.0, "b": 1e-9, "y": 1.0}, "b")["b"] == 1e-9


@pytest.mark.parametrize("small", [1e-3, 1e-5, 0.0])
def test_such_files_open_and_compute(small: float) -> None:
    sketch = summed(small)
    feeds = {"x": np.random.default_rng(1).standard_normal((4, 4, 6, 6)).astype(np.float32)}
    content = built(sketch.model("y"), feeds).content
    assert coverage(open_file(content)).complete
    expected = np.concatenate([run(sketch.model("y"), row)["y"] for row in rows_of(feeds)])
    assert quality_db(expected, outputs(content, feeds)["y"]) > 34
