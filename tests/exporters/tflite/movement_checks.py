"""Shapes in which a mistaken axis shows, and what is asked of operators that move elements."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import strategies as st

from condmix.exporters.errors import NotExportableError
from tests.exporters.sketch import Sketch
from tests.exporters.tflite.running import assert_as_in_onnx, written

EQUAL = (3, 3, 3, 3)
"""All lengths alike: no shape gives away a mistaken axis."""
UNEQUAL = (2, 3, 4, 5)
SHAPES = st.sampled_from([EQUAL, UNEQUAL, (1, 3, 4, 4), (1, 6, 1, 1), (2, 1, 4, 5), (1, 4, 1, 5)])


def ramp(shape: tuple[int, ...]) -> np.ndarray:
    """Every element another number."""
    return np.arange(math.prod(shape), dtype=np.float32).reshape(shape)


def check(sketch: Sketch, shape: tuple[int, ...], output: str = "y") -> bytes:
    return assert_as_in_onnx(sketch.model(output), {"x": ramp(shape)})


def refused(sketch: Sketch, output: str = "y") -> str:
    with pytest.raises(NotExportableError) as refusal:
        written(sketch.model(output))
    (problem,) = refusal.value.problems
    return problem
