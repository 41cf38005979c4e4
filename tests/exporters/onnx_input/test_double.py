"""The float64 evaluation is the engine's function, at float64's precision."""

from __future__ import annotations

import math

import numpy as np
import onnx
import pytest
from onnx import helper

from condmix.exporters.errors import VerificationError
from condmix.exporters.onnx_input.double import DoubleEvaluator
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from tests.exporters.onnx_input.sketches import Sketch, batched_groups, paddle_style

ROUNDING = 3e-6


def both(model: onnx.ModelProto, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(7).standard_normal(shape).astype(np.float32)
    engine = OnnxRuntimeBackend().open(model.SerializeToString(), threads=1).run({"x": x})
    double = DoubleEvaluator(model).run({"x": x})
    (name,) = engine
    assert double[name].dtype == np.float64
    assert double[name].shape == engine[name].shape
    return engine[name], double[name]


def assert_close(model: onnx.ModelProto, shape: tuple[int, ...]) -> None:
    engine, double = both(model, shape)
    assert np.abs(engine - double).max() <= ROUNDING * max(np.abs(double).max(), 1.0)


def one(kind: str, weight: tuple[int, ...] | None = None, **attributes: object) -> onnx.ModelProto:
    s = Sketch(11)
    inputs = ["x"]
    if weight is not None:
        inputs += [s.weights("w", *weight), s.weights("b", weight[0])]
    s.nodes.append(helper.make_node(kind, inputs, ["y"], **attributes))
    return s.model({"x": ["a", "b", "c", "d"]}, {"y": ["e", "f", "g", "h"]}, opset=19)


@pytest.mark.parametrize("pads", [{}, {"pads": [2, 0, 1, 3]}, {"auto_pad": "SAME_UPPER"}, {"auto_pad": "SAME_LOWER"}])
@pytest.mark.parametrize("strides", [[1, 1], [2, 3]])
@pytest.mark.parametrize(("weight", "group"), [((4, 6, 3, 2), 1), ((6, 1, 3, 3), 6), ((4, 3, 1, 1), 2)])
def test_convolutions_of_every_kind(
    pads: dict[str, object], strides: list[int], weight: tuple[int, ...], group: int
) -> None:
    assert_close(one("Conv", weight, group=group, strides=strides, **pads), (2, 6, 9, 11))


def test_dilated_convolutions() -> None:
    assert_close(one("Conv", (4, 6, 3, 3), dilations=[2, 1], pads=[2, 1, 2, 1]), (2, 6, 9, 11))


@pytest.mark.parametrize("more", [{}, {"pads": [1, 0, 2, 1]}, {"output_padding": [1, 0]}, {"dilations": [2, 1]}])
@pytest.mark.parametrize(("out", "group"), [(4, 1), (2, 3), (1, 6)])
def test_transposed_convolutions(more: dict[str, object], out: int, group: int) -> None:
    s = Sketch(11)
    inputs = ["x", s.weights("w", 6, out, 3, 2), s.weights("b", out * group)]
    s.nodes.append(helper.make_node("ConvTranspose", inputs, ["y"], group=group, strides=[2, 2], **more))
    model = s.model({"x": ["a", "b", "c", "d"]}, {"y": ["e", "f", "g", "h"]}, opset=19)
    assert_close(model, (2, 6, 5, 4))


@pytest.mark.parametrize("more", [{}, {"ceil_mode": 1}, {"auto_pad": "SAME_UPPER"}, {"pads": [1, 0, 1, 1]}])
@pytest.mark.parametrize("kind", ["MaxPool", "AveragePool"])
def test_poolings(kind: str, more: dict[str, object]) -> None:
    assert_close(one(kind, kernel_shape=[3, 2], strides=[2, 2], **more), (2, 3, 8, 7))


@pytest.mark.parametrize("ceil_mode", [0, 1])
def test_averages_that_count_the_padding(ceil_mode: int) -> None:
    more = {"count_include_pad": 1, "pads": [1, 1, 1, 1], "ceil_mode": ceil_mode}
    assert_close(one("AveragePool", kernel_shape=[3, 3], strides=[2, 2], **more), (2, 3, 8, 7))


def test_the_error_function_has_all_its_digits() -> None:
    _, double = both(one("Erf"), (1, 1, 2, 3))
    x = np.random.default_rng(7).standard_normal((1, 1, 2, 3)).astype(np.float32)
    assert double.reshape(-1).tolist() == [math.erf(float(number)) for number in x.reshape(-1)]


@pytest.mark.parametrize(("model", "shape"), [(batched_groups(2), (2, 3, 12, 10)), (paddle_style(), (3, 3, 16, 16))])
def test_whole_networks(model: onnx.ModelProto, shape: tuple[int, ...]) -> None:
    assert_close(model, shape)


def test_inner_values_are_given_by_name_and_absent_ones_left_out() -> None:
    found = DoubleEvaluator(batched_groups(2)).run({"x": np.ones((2, 3, 12, 10))}, ["routing", "nothing"])
    assert {name: value.shape for name, value in found.items()} == {"routing": (2, 3)}


def test_what_rounds_on_the_way_is_no_yardstick() -> None:
    s = Sketch()
    s.nodes.append(helper.make_node("Cast", ["x"], ["y"], to=1))
    model = s.model({"x": [1, 1, 1, 1]}, {"y": [1, 1, 1, 1]})
    evaluator = DoubleEvaluator(model)
    assert evaluator.run({"x": np.ones((1, 1, 1, 1))})["y"].dtype == np.float64
    s = Sketch()
    s.nodes.append(helper.make_node("DequantizeLinear", ["q", "scale"], ["y"]))
    s.store("q", np.int8([1]))
    s.store("scale", np.float32(1e-3))
    with pytest.raises(VerificationError, match=r"'y' came out in float32|cannot be evaluated in float64"):
        DoubleEvaluator(s.model({}, {"y": [1]})).run({})


def test_an_operator_that_is_not_known_is_named() -> None:
    s = Sketch()
    s.nodes.append(helper.make_node("Mystery", ["x"], ["y"], domain="some.where"))
    model = s.model({"x": [1]}, {"y": [1]})
    model.opset_import.append(helper.make_opsetid("some.where", 1))
    with pytest.raises(VerificationError, match="the file cannot be evaluated in float64"):
        DoubleEvaluator(model).run({"x": np.ones(1)})
