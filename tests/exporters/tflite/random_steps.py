"""Steps that random networks are made of: each takes a value's shape and gives the shape of what it wrote."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.exporters.sketch import Sketch


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


Step = Callable[[Sketch, str, str, tuple[int, ...]], tuple[int, ...]]


def _pointwise(sketch: Sketch, x: str, y: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    kernel = sketch.constant(f"{y}.k", numbers(3, shape[1], 1, 1))
    sketch.node("Conv", [x, kernel], y)
    return (shape[0], 3, *shape[2:])


def _half(sketch: Sketch, x: str, y: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    sketch.node("MaxPool", [x], y, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    return (*shape[:2], (shape[2] - 1) // 2 + 1, (shape[3] - 1) // 2 + 1)


def _double(sketch: Sketch, x: str, y: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    factors = sketch.constant(f"{y}.f", np.asarray([1, 1, 2, 2], dtype=np.float32))
    sketch.node("Resize", [x, "", factors], y, mode="linear")
    return (*shape[:2], 2 * shape[2], 2 * shape[3])


def _gated(sketch: Sketch, x: str, y: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    sketch.node("GlobalAveragePool", [x], f"{y}.p")
    sketch.node("Sigmoid", [f"{y}.p"], f"{y}.g")
    sketch.node("Mul", [f"{y}.g", x], y)
    return shape


def _joined(sketch: Sketch, x: str, y: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    sketch.node("Tanh", [x], f"{y}.t")
    sketch.node("Concat", [x, f"{y}.t"], y, axis=1)
    return (shape[0], 2 * shape[1], *shape[2:])


def _shuffled(sketch: Sketch, x: str, y: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    batch, channels, height, width = shape
    sketch.node("Reshape", [x, sketch.constant(f"{y}.5", [batch, channels, 1, height, width])], f"{y}.a")
    sketch.node("Transpose", [f"{y}.a"], f"{y}.b", perm=[0, 2, 3, 1, 4])
    sketch.node("Reshape", [f"{y}.b", sketch.constant(f"{y}.4", list(shape))], y)
    return shape


def _attended(sketch: Sketch, x: str, y: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Softmax over positions as rows, and back."""
    batch, channels, height, width = shape
    sketch.node("Reshape", [x, sketch.constant(f"{y}.3", [batch, channels, height * width])], f"{y}.r")
    sketch.node("Softmax", [f"{y}.r"], f"{y}.s", axis=-1)
    sketch.node("Transpose", [f"{y}.r"], f"{y}.t", perm=[0, 2, 1])
    sketch.node("MatMul", [f"{y}.s", f"{y}.t"], f"{y}.m")
    sketch.node("MatMul", [f"{y}.m", f"{y}.r"], f"{y}.o")
    sketch.node("Reshape", [f"{y}.o", sketch.constant(f"{y}.4", list(shape))], y)
    return shape


def _activated(sketch: Sketch, x: str, y: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    sketch.node("Add", [x, sketch.constant(f"{y}.c", numbers(shape[1], 1, 1))], f"{y}.a")
    sketch.node("Relu", [f"{y}.a"], y)
    return shape


STEPS: tuple[Step, ...] = (_pointwise, _half, _double, _gated, _joined, _shuffled, _attended, _activated)
