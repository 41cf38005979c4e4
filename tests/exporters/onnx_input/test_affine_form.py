"""A multiplication and an addition behind a convolution are a BatchNormalization again; anywhere else they stay."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from condmix.exporters.onnx_input.affine_form import AffineForm
from condmix.exporters.rewrite.driver import run_rules
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from tests.exporters.sketch import Sketch

CHANNELS = 3
PER_CHANNEL = np.float32([0.5, -2.0, 3.0]).reshape(1, CHANNELS, 1, 1)


def convolved() -> Sketch:
    s = Sketch()
    s.input("x", (1, 2, 5, 5))
    weight = np.random.default_rng(0).standard_normal((CHANNELS, 2, 3, 3)).astype(np.float32)
    s.node("Conv", ["x", s.constant("w", weight)], "conv")
    return s


def run(model: ir.Model) -> np.ndarray:
    x = np.random.default_rng(1).standard_normal((1, 2, 5, 5)).astype(np.float32)
    outputs = OnnxRuntimeBackend().open(ir.to_proto(model).SerializeToString(), threads=1).run({"x": x})
    return next(iter(outputs.values()))


def kinds(model: ir.Model) -> list[str]:
    return [node.op_type for node in model.graph]


def became(model: ir.Model) -> list[str]:
    before = run(model)
    run_rules(model, [AffineForm()])
    np.testing.assert_allclose(run(model), before, rtol=0, atol=5e-7 * np.abs(before).max())
    return kinds(model)


@pytest.mark.parametrize("scaling", ["Mul", "Div"])
@pytest.mark.parametrize("shifting", ["Add", "Sub"])
@pytest.mark.parametrize("constant_first", [False, True])
@pytest.mark.parametrize("shape", [(1, CHANNELS, 1, 1), (CHANNELS, 1, 1), ()])
def test_scale_and_shift_in_every_form(
    scaling: str, shifting: str, constant_first: bool, shape: tuple[int, ...]
) -> None:
    s = convolved()
    numbers = PER_CHANNEL.reshape(shape) if shape else np.float32(2.5)
    s.constant("a", np.asarray(numbers))
    s.constant("b", np.asarray(numbers * 3))
    first = ["a", "conv"] if constant_first and scaling == "Mul" else ["conv", "a"]
    s.node(scaling, first, "scaled")
    s.node(shifting, ["b", "scaled"] if constant_first else ["scaled", "b"], "y")
    assert became(s.model("y")) == ["Conv", "BatchNormalization"]


@pytest.mark.parametrize("kind", ["Mul", "Add", "Sub"])
def test_one_of_the_two_alone(kind: str) -> None:
    s = convolved()
    s.node(kind, ["conv", s.constant("a", PER_CHANNEL)], "y")
    assert became(s.model("y")) == ["Conv", "BatchNormalization"]


def test_behind_a_concat_of_convolutions() -> None:
    s = convolved()
    s.node("Conv", ["x", "w"], "other")
    s.node("Concat", ["conv", "other"], "both", axis=1)
    s.node("Mul", ["both", s.constant("a", np.concatenate([PER_CHANNEL] * 2, axis=1))], "y")
    assert became(s.model("y")) == ["Conv", "Conv", "Concat", "BatchNormalization"]


@pytest.mark.parametrize("shape", [(1, 1, 3, 3), (1, 1, 1, 3)])
def test_numbers_that_are_not_one_a_channel_stay(shape: tuple[int, ...]) -> None:
    s = convolved()
    s.node("Mul", ["conv", s.constant("a", np.full(shape, 2.0, dtype=np.float32))], "y")
    assert became(s.model("y")) == ["Conv", "Mul"]


def test_behind_anything_else_they_stay() -> None:
    s = convolved()
    s.node("Relu", ["conv"], "active")
    s.node("Mul", ["active", s.constant("a", PER_CHANNEL)], "y")
    assert became(s.model("y")) == ["Conv", "Relu", "Mul"]


def test_a_convolution_with_another_reader_keeps_its_own_result() -> None:
    s = convolved()
    s.node("Mul", ["conv", s.constant("a", PER_CHANNEL)], "scaled")
    s.node("Add", ["scaled", "conv"], "y")
    assert became(s.model("y")) == ["Conv", "Mul", "Add"]


def test_a_division_by_zero_stays_one() -> None:
    s = convolved()
    s.node("Div", ["conv", s.constant("a", 0 * PER_CHANNEL)], "y")
    model = s.model("y")
    run_rules(model, [AffineForm()])
    assert kinds(model) == ["Conv", "Div"]
