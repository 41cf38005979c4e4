"""Reading a BatchNorm as scale and shift, in float64; training norms and computed statistics are not read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.graph.batchnorm import batchnorm_affine
from tests.exporters.conv_cases import exact_rule, seeds
from tests.exporters.graphs import node_of
from tests.exporters.sketch import BatchNorm, Sketch


@exact_rule
@given(channels=st.integers(1, 7), seed=seeds)
def test_scale_and_shift_are_the_definition(channels: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    norm = BatchNorm.random(generator, channels)
    sketch = Sketch()
    sketch.input("x", (1, channels, 2, 2))
    sketch.batchnorm("x", "y", norm)
    affine = batchnorm_affine(node_of(sketch.model("y"), "BatchNormalization"))
    assert affine is not None
    assert affine.scale.dtype == affine.shift.dtype == np.float64
    x = generator.standard_normal((1, channels, 2, 2))
    result = affine.scale[:, None, None] * x + affine.shift[:, None, None]
    # The file stores epsilon as float32: 1e-3 has a relative error of 5e-8 there, of a variance of 0.3 or more.
    np.testing.assert_allclose(result, norm.apply(x), rtol=0, atol=1e-9)


def test_epsilon_has_the_default_of_the_operator() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 1, 2, 2))
    ones = [sketch.constant(name, np.ones(1, dtype=np.float32)) for name in "gbmv"]
    sketch.node("BatchNormalization", ["x", *ones], "y")
    affine = batchnorm_affine(node_of(sketch.model("y"), "BatchNormalization"))
    assert affine is not None
    assert affine.scale == pytest.approx(1 / np.sqrt(1 + 1e-5), rel=1e-12)


def test_a_training_norm_is_not_read() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 2, 2, 2))
    ones = [sketch.constant(name, np.ones(2, dtype=np.float32)) for name in "gbmv"]
    sketch.node("BatchNormalization", ["x", *ones], ["y", "mean", "variance"], training_mode=1)
    assert batchnorm_affine(node_of(sketch.model("y"), "BatchNormalization")) is None


def test_computed_statistics_are_not_read() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 2, 2, 2))
    sketch.input("gamma", (2,))
    ones = [sketch.constant(name, np.ones(2, dtype=np.float32)) for name in "bmv"]
    sketch.node("BatchNormalization", ["x", "gamma", *ones], "y")
    assert batchnorm_affine(node_of(sketch.model("y"), "BatchNormalization")) is None


def test_other_operators_are_not_read() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 2, 2, 2))
    sketch.node("Relu", ["x"], "y")
    assert batchnorm_affine(node_of(sketch.model("y"), "Relu")) is None
