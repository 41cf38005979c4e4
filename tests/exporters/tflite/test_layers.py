"""Convolutions with computed kernels, normalisation and matrix products equal ONNX Runtime's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.errors import NotExportableError
from tests.exporters.conv_cases import ConvCase, conv_case, conv_cases, exact_rule, seeds
from tests.exporters.sketch import BatchNorm, Sketch
from tests.exporters.tflite.running import assert_as_in_onnx, counted, options_of, written


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def refusals(sketch: Sketch, *outputs: str) -> tuple[str, ...]:
    with pytest.raises(NotExportableError) as refusal:
        written(sketch.model(*outputs))
    return refusal.value.problems


@exact_rule
@given(case=conv_cases(), seed=seeds, relu=st.booleans())
def test_a_convolution_with_a_computed_kernel(case: ConvCase, seed: int, relu: bool) -> None:
    generator = np.random.default_rng(seed)
    sketch = Sketch()
    names = [sketch.input("x", (1, case.in_channels, *case.input_size)), sketch.input("k", case.weight_shape)]
    names.append(sketch.constant("bias", numbers(case.out_channels, seed=seed)))
    sketch.node("Conv", names, "c", **case.settings.attributes())
    output = sketch.node("Relu", ["c"], "y") if relu else "c"
    feeds = {"x": case.images(generator), "k": case.weights(generator)}
    kinds = counted(assert_as_in_onnx(sketch.model(output), feeds))
    assert kinds["RELU"] == 0


def test_a_computed_kernel_serves_one_image_and_wants_a_stored_bias() -> None:
    case = conv_case()
    sketch = Sketch()
    names = [sketch.input("x", (2, 4, 7, 5)), sketch.input("k", case.weight_shape), sketch.input("b", (6,))]
    sketch.node("Conv", names[:2], "two_images", module="a", **case.settings.attributes())
    sketch.input("one", (1, 4, 7, 5))
    sketch.node("Conv", ["one", "k", "b"], "own_bias", module="b", **case.settings.attributes())
    reason = "its kernel is computed: it serves one image a call, and needs a stored bias"
    assert refusals(sketch, "two_images", "own_bias") == (
        f"a: Conv 'node_two_images': {reason}",
        f"b: Conv 'node_own_bias': {reason}",
    )


def test_a_computed_bias_is_refused_and_not_dropped() -> None:
    case = conv_case()
    sketch = Sketch()
    names = [sketch.input("x", (1, 4, 7, 5)), sketch.constant("k", case.weights(np.random.default_rng(0)))]
    sketch.node("Conv", [*names, sketch.input("b", (6,))], "y", module="m", **case.settings.attributes())
    assert refusals(sketch, "y") == ("m: Conv 'node_y': its bias is computed",)


def test_other_numbers_of_axes_and_auto_pad_are_refused_together() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 2, 9))
    sketch.node("Conv", ["x", sketch.constant("k", numbers(3, 2, 3))], "line", module="a")
    sketch.input("image", (1, 2, 9, 9))
    kernel = sketch.constant("kk", numbers(3, 2, 3, 3))
    sketch.node("Conv", ["image", kernel], "padded", module="b", auto_pad="SAME_UPPER")
    assert refusals(sketch, "line", "padded") == (
        "a: Conv 'node_line': it does not have two spatial axes",
        "b: Conv 'node_padded': 'node_padded' has auto_pad SAME_UPPER: expected explicit pads",
    )


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 3), (2, 3, 4), (2, 3, 4, 5), (2, 3, 3, 3)])
@pytest.mark.parametrize("relu", [False, True])
def test_normalisation_is_by_channel_at_every_rank(shape: tuple[int, ...], relu: bool) -> None:
    sketch = Sketch()
    sketch.batchnorm(sketch.input("x", shape), "n", BatchNorm.random(np.random.default_rng(1), 3))
    output = sketch.node("Relu", ["n"], "y") if relu else "n"
    kinds = counted(assert_as_in_onnx(sketch.model(output), {"x": numbers(*shape)}))
    assert kinds == {"MUL": 1, "ADD": 1}


def test_a_normalisation_with_computed_statistics_is_refused() -> None:
    sketch = Sketch()
    names = [sketch.input(name, shape) for name, shape in (("x", (1, 3, 4, 4)), ("s", (3,)))]
    sketch.node("BatchNormalization", [*names, *["s"] * 3], "y", module="m")
    assert refusals(sketch, "y") == ("m: BatchNormalization 'node_y': its statistics are not constant",)


@exact_rule
@given(
    transposed=st.booleans(),
    bias_shape=st.sampled_from([None, (), (1,), (5,), (1, 5), (1, 1)]),
    alpha=st.sampled_from([1.0, 0.5]),
    beta=st.sampled_from([1.0, -2.0]),
    rows=st.integers(1, 3),
    relu=st.booleans(),
)
def test_a_dense_layer(
    transposed: bool, bias_shape: tuple[int, ...] | None, alpha: float, beta: float, rows: int, relu: bool
) -> None:
    sketch = Sketch()
    names = [sketch.input("x", (rows, 4)), sketch.constant("w", numbers(*((5, 4) if transposed else (4, 5))))]
    if bias_shape is not None:
        names.append(sketch.constant("b", numbers(*bias_shape, seed=2)))
    sketch.node("Gemm", names, "g", transB=int(transposed), alpha=alpha, beta=beta)
    output = sketch.node("Relu", ["g"], "y") if relu else "g"
    content = assert_as_in_onnx(sketch.model(output), {"x": numbers(rows, 4, seed=3)})
    assert counted(content) == {"FULLY_CONNECTED": 1}
    assert options_of(content, "FULLY_CONNECTED").fusedActivationFunction == int(relu)  # type: ignore[attr-defined]


def test_dense_layers_that_are_refused() -> None:
    sketch = Sketch()
    for name, shape in (("x", (4, 2)), ("w", (4, 5)), ("b", (5,)), ("rows", (2, 4))):
        sketch.input(name, shape)
    stored = sketch.constant("stored", numbers(4, 5))
    sketch.node("Gemm", ["x", stored], "turned", module="a", transA=1)
    sketch.node("Gemm", ["rows", "w"], "computed", module="b")
    sketch.node("Gemm", ["rows", stored, "b"], "own_bias", module="c")
    sketch.node("Gemm", ["rows", stored, sketch.constant("each", numbers(2, 5))], "bias_of_rows", module="d")
    reason = "its weight or bias is computed, or its input is transposed"
    assert refusals(sketch, "turned", "computed", "own_bias", "bias_of_rows") == (
        f"a: Gemm 'node_turned': {reason}",
        f"b: Gemm 'node_computed': {reason}",
        f"c: Gemm 'node_own_bias': {reason}",
        "d: Gemm 'node_bias_of_rows': its bias has shape (2, 5): one number a column is supported",
    )


@pytest.mark.parametrize(
    ("left", "right"),
    [((2, 4), (4, 5)), ((4,), (4, 5)), ((3, 2, 4), (4, 5)), ((3, 2, 4), (3, 4, 5)), ((1, 2, 4), (3, 4, 5)),
     ((2, 4), (3, 4, 5)), ((4,), (3, 4, 5))],
)  # fmt: skip
@pytest.mark.parametrize("stored", [True, False])
def test_products(left: tuple[int, ...], right: tuple[int, ...], stored: bool) -> None:
    sketch = Sketch()
    feeds = {"a": numbers(*left)}
    weight = numbers(*right, seed=1)
    names = [sketch.input("a", left), sketch.constant("b", weight) if stored else sketch.input("b", right)]
    if not stored:
        feeds["b"] = weight
    sketch.node("MatMul", names, "y")
    assert_as_in_onnx(sketch.model("y"), feeds)


def test_products_of_images_and_with_vectors_are_refused() -> None:
    sketch = Sketch()
    sketch.input("image", (1, 2, 3, 4))
    sketch.input("rows", (3, 4))
    sketch.node("MatMul", ["image", sketch.constant("w", numbers(4, 5))], "a", module="a")
    sketch.node("MatMul", ["rows", sketch.constant("v", numbers(4))], "b", module="b")
    assert refusals(sketch, "a", "b") == (
        "a: MatMul 'node_a': a product of shapes [(1, 2, 3, 4), (4, 5)]: two or three axes are supported",
        "b: MatMul 'node_b': a product of shapes [(3, 4), (4,)]: two or three axes are supported",
    )
