"""The mean over height and width is a GlobalAveragePool; no other mean is."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.rewrite.global_average_pool import GlobalAveragePool
from tests.exporters.conv_cases import exact_rule, seeds
from tests.exporters.graphs import assert_same, operators, produced_by, rewrite, run
from tests.exporters.sketch import Sketch

RULE = GlobalAveragePool()


def mean(shape: tuple[int, ...], axes: list[int] | None, *, keepdims: int = 1) -> ir.Model:
    sketch = Sketch()
    sketch.input("x", shape)
    inputs = ["x"] if axes is None else ["x", sketch.constant("axes", axes)]
    sketch.node("ReduceMean", inputs, "y", module="pool", keepdims=keepdims)
    return sketch.model("y")


@exact_rule
@given(
    channels=st.integers(1, 5),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    axes=st.sampled_from([[2, 3], [3, 2], [-2, -1], [-1, 2]]),
    keepdims=st.integers(0, 1),
    seed=seeds,
)
def test_equals_the_mean(channels: int, size: tuple[int, int], axes: list[int], keepdims: int, seed: int) -> None:
    model = mean((1, channels, *size), axes, keepdims=keepdims)
    x = np.random.default_rng(seed).standard_normal((1, channels, *size)).astype(np.float32)
    (step,) = rewrite(model, RULE)
    assert (step.rule, step.path) == ("global_average_pool", "pool")
    assert operators(model) == {"GlobalAveragePool": 1} | ({} if keepdims else {"Reshape": 1})
    expected = x.astype(np.float64).mean(axis=(2, 3), keepdims=bool(keepdims))
    assert_same(expected, run(model, {"x": x})["y"])
    assert produced_by(model, "y").op_type == ("GlobalAveragePool" if keepdims else "Reshape")


@pytest.mark.parametrize(
    ("shape", "axes"),
    [((1, 3, 4, 4), [1, 2]), ((1, 3, 4, 4), [3]), ((1, 3, 4, 4), [1, 2, 3]), ((1, 3, 4), [1, 2]), ((1, 3, 4, 4), None)],
)
def test_other_means_stay(shape: tuple[int, ...], axes: list[int] | None) -> None:
    model = mean(shape, axes)
    assert rewrite(model, RULE) == ()
    assert operators(model) == {"ReduceMean": 1}


def test_other_reductions_stay() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 3, 4, 4))
    sketch.node("ReduceMax", ["x", sketch.constant("axes", [2, 3])], "y")
    assert rewrite(sketch.model("y"), RULE) == ()


def test_means_of_other_types_stay() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 3, 4, 4), element_type=onnx.TensorProto.DOUBLE)
    sketch.node("ReduceMean", ["x", sketch.constant("axes", [2, 3])], "mean", keepdims=0)
    sketch.node("Cast", ["mean"], "y", to=onnx.TensorProto.FLOAT)
    model = sketch.model("y")
    assert rewrite(model, RULE) == ()
    np.testing.assert_array_equal(run(model, {"x": np.ones((1, 3, 4, 4))})["y"], np.ones((1, 3)))
