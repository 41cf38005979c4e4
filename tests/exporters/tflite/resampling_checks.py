"""What is asked of transposed convolutions and resizing: the same numbers as ONNX Runtime."""

from __future__ import annotations

import numpy as np

from tests.exporters.sketch import Sketch
from tests.exporters.tflite.running import assert_as_in_onnx


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def check(sketch: Sketch, seed: int = 0) -> bytes:
    model = sketch.model("y")
    shape = tuple(int(length) for length in model.graph.inputs[0].shape or ())  # type: ignore[arg-type]
    return assert_as_in_onnx(model, {"x": numbers(*shape, seed=seed + 2)})
