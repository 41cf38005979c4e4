"""Finding CondConv layers in graphs that somebody else wrote, and naming them without changing a result."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.recognise import recognise
from condmix.exporters.recognise.condconv import find_condconv
from condmix.exporters.recognise.finding import Declined, Recognised
from condmix.exporters.rewrite import TIDY_RULES
from condmix.exporters.rewrite.driver import run_rules
from tests.exporters.condconv_cases import CondConvCase, condconv_case, condconv_cases
from tests.exporters.conv_cases import exact_rule, seeds
from tests.exporters.graphs import assert_different, assert_same, attributes_of, node_of, operators, run
from tests.exporters.sketch import Sketch


def mix(sketch: Sketch, r: str, bank: np.ndarray, output: str, shape: Sequence[int]) -> str:
    """bank (experts, ...) mixed by r (1, experts), in the given shape."""
    flat = sketch.constant(f"{output}.bank", bank.reshape(len(bank), -1))
    sketch.node("MatMul", [r, flat], f"{output}.flat", module="layer")
    return sketch.node("Reshape", [f"{output}.flat", sketch.constant(f"{output}.shape", shape)], output, module="layer")


def unnamed(case: CondConvCase, *, base: np.ndarray | None = None, relu: bool = False) -> Sketch:
    """The CondConv as a mixed kernel and a Conv; the routing is a sigmoid of the input `routing`."""
    sketch = Sketch()
    sketch.input("x", (1, case.conv.in_channels, *case.conv.input_size))
    sketch.input("routing", (1, len(case.experts_eoihw)))
    sketch.node("Sigmoid", ["routing"], "r", module="router")
    kernel = mix(sketch, "r", case.experts_eoihw, "kernel", case.conv.weight_shape)
    if base is not None:
        kernel = sketch.node("Add", ["kernel", sketch.constant("base", base)], "whole", module="layer")
    if relu:
        kernel = sketch.node("Relu", [kernel], "curved", module="layer")
    inputs = ["x", kernel]
    if case.expert_bias_eo is not None:
        inputs.append(mix(sketch, "r", case.expert_bias_eo, "bias", (case.conv.out_channels,)))
        if case.bias_o.any():
            inputs[-1] = sketch.node("Add", ["bias", sketch.constant("b", case.bias_o)], "biases", module="layer")
    elif case.bias_o.any():
        inputs.append(sketch.constant("b", case.bias_o))
    sketch.node("Conv", inputs, "y", module="layer", **dict(case.conv.settings.attributes()))
    return sketch


def named(sketch: Sketch, feeds: dict[str, np.ndarray]) -> tuple[ir.Model, tuple[np.ndarray, np.ndarray]]:
    """The graph after tidying and recognition, with its result before and after."""
    model = sketch.model("y")
    before = run(model, feeds)["y"]
    run_rules(model, TIDY_RULES)
    recognise(model)
    return model, (before, run(model, feeds)["y"])


@exact_rule
@given(case=condconv_cases(), with_base=st.booleans(), seed=seeds)
def test_a_mixed_convolution_is_named_and_equal(case: CondConvCase, with_base: bool, seed: int) -> None:
    base = case.conv.weights(np.random.default_rng(seed)) if with_base else None
    numbers = case.experts_eoihw[0].size + (0 if case.expert_bias_eo is None else case.conv.out_channels)
    model, (before, after) = named(unnamed(case, base=base), case.feeds)
    assert_same(before, after)
    if len(case.experts_eoihw) >= numbers:
        # As many gates as numbers in the kernel: nothing was found, nothing was changed.
        assert operators(model)["Conv"] == 1
        return
    operator = "CondConv" if case.expert_bias_eo is None else "CondConvExpertBias"
    node = node_of(model, operator)
    assert attributes_of(node) == dict(case.conv.settings.attributes())
    assert operators(model) == {"Sigmoid": 1, operator: 1} | ({"Pad": 1} if with_base else {})


def test_the_finding_names_its_module_and_its_routing() -> None:
    (finding,) = find_condconv(unnamed(condconv_case()).model("y"))
    assert isinstance(finding, Recognised)
    assert (finding.path, finding.node.op_type, finding.routing_names) == ("layer", "Conv", ("r",))


def test_a_curved_kernel_is_declined_with_the_reason() -> None:
    (finding,) = find_condconv(unnamed(condconv_case(), relu=True).model("y"))
    assert isinstance(finding, Declined)
    assert finding.path == "layer"
    assert finding.reason.startswith("the kernel is not linear in 'r' (3 numbers)")


def test_a_stored_kernel_is_no_finding() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 2, 4, 4))
    sketch.node("Conv", ["x", sketch.constant("w", np.ones((3, 2, 1, 1), dtype=np.float32))], "y")
    assert list(find_condconv(sketch.model("y"))) == []


def test_a_kernel_with_one_spatial_axis_is_declined() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 2, 8))
    sketch.input("r", (1, 3))
    mix(sketch, "r", np.ones((3, 4, 2, 3), dtype=np.float32), "kernel", (4, 2, 3))
    sketch.node("Conv", ["x", "kernel"], "y", module="layer")
    (finding,) = find_condconv(sketch.model("y"))
    assert isinstance(finding, Declined)
    assert finding.reason == "a computed kernel with 1 spatial axes: only two are supported"


def test_a_kernel_without_a_routing_is_declined() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 2, 4, 4))
    sketch.input("w", (3, 2, 1, 1))
    sketch.node("Conv", ["x", "w"], "y", module="layer")
    (finding,) = find_condconv(sketch.model("y"))
    assert isinstance(finding, Declined)
    assert finding.reason == "no small vector separates the kernel from the input (at most 1024 numbers)"


def product_sketch(form: str, seed: int) -> tuple[Sketch, dict[str, np.ndarray], int]:
    """A mixture of three 5x4 matrices in a product of the given form; features in 4, out 5, length 6 or 1."""
    generator = np.random.default_rng(seed)
    bank = generator.standard_normal((3, 5, 4)).astype(np.float32)
    sketch = Sketch()
    sketch.input("routing", (1, 3))
    sketch.node("Sigmoid", ["routing"], "r", module="router")
    shapes = {
        "W x": ((1, 4, 6), (1, 5, 4)),
        "W x, flat": ((4, 6), (5, 4)),
        "W v": ((4,), (5, 4)),
        "x W": ((1, 6, 4), (1, 4, 5)),
        "x W, flat": ((6, 4), (4, 5)),
        "v W": ((4,), (4, 5)),
        "row W": ((1, 4), (4, 5)),
        "Gemm": ((1, 4), (4, 5)),
        "Gemm, transposed": ((6, 4), (5, 4)),
        "Gemm with bias": ((1, 4), (5, 4)),
        "Gemm with mixed bias": ((1, 4), (5, 4)),
    }
    x_shape, w_shape = shapes[form]
    sketch.input("x", x_shape)
    stored = bank if w_shape[-2:] == (5, 4) else bank.transpose(0, 2, 1)
    mix(sketch, "r", np.ascontiguousarray(stored), "kernel", w_shape)
    if form.startswith("Gemm"):
        inputs = ["x", "kernel"]
        if form == "Gemm with bias":
            inputs.append(sketch.constant("b", generator.standard_normal(5).astype(np.float32)))
        elif form == "Gemm with mixed bias":
            inputs.append(mix(sketch, "r", generator.standard_normal((3, 5)).astype(np.float32), "bias", (5,)))
        sketch.node("Gemm", inputs, "product", module="layer", transB=int(w_shape == (5, 4)))
    else:
        inputs = ["kernel", "x"] if form.startswith("W") else ["x", "kernel"]
        sketch.node("MatMul", inputs, "product", module="layer")
    sketch.node("Neg", ["product"], "y")
    feeds = {
        "x": generator.standard_normal(x_shape).astype(np.float32),
        "routing": generator.standard_normal((1, 3)).astype(np.float32),
    }
    length = 6 if 6 in x_shape else 1
    return sketch, feeds, length


@pytest.mark.parametrize(
    "form",
    [
        "W x",
        "W x, flat",
        "W v",
        "x W",
        "x W, flat",
        "v W",
        "row W",
        "Gemm",
        "Gemm, transposed",
        "Gemm with bias",
        "Gemm with mixed bias",
    ],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_product_with_a_mixture_is_a_pointwise_condconv(form: str, seed: int) -> None:
    sketch, feeds, length = product_sketch(form, seed)
    model, (before, after) = named(sketch, feeds)
    assert_same(before, after)
    node = node_of(model, "CondConv")
    assert "MatMul" not in operators(model) or form == "Gemm with mixed bias"
    assert "Gemm" not in operators(model)
    x, y = node.inputs[0], node.outputs[0]
    assert x is not None
    assert x.shape == ir.Shape((1, 4, length, 1))
    assert y.shape == ir.Shape((1, 5, length, 1))
    # The guard: another routing gives another result.
    other = {**feeds, "routing": feeds["routing"][:, ::-1].copy()}
    assert_different(before, run(model, other)["y"])


def test_the_value_behind_a_product_keeps_its_name() -> None:
    sketch, _, _ = product_sketch("x W", 0)
    model = sketch.model("product", "y")
    recognise(model)
    assert [value.name for value in model.graph.outputs] == ["product", "y"]


def test_a_mixed_matrix_that_gemm_transposes_the_other_side_of_stays_a_product() -> None:
    generator = np.random.default_rng(0)
    sketch = Sketch()
    sketch.input("routing", (1, 3))
    sketch.input("x", (4, 4))
    sketch.node("Sigmoid", ["routing"], "r")
    mix(sketch, "r", generator.standard_normal((3, 5, 4)).astype(np.float32), "kernel", (5, 4))
    sketch.node("Gemm", ["kernel", "x"], "y", module="layer", transB=1)
    feeds = {
        "x": generator.standard_normal((4, 4)).astype(np.float32),
        "routing": generator.standard_normal((1, 3)).astype(np.float32),
    }
    model, (before, after) = named(sketch, feeds)
    np.testing.assert_array_equal(before, after)
    assert operators(model)["Gemm"] == 1


@pytest.mark.parametrize("attributes", [{"alpha": 0.5}, {"beta": 2.0}, {"transA": 1}])
def test_a_gemm_that_scales_or_transposes_stays(attributes: dict[str, object]) -> None:
    generator = np.random.default_rng(0)
    sketch = Sketch()
    sketch.input("routing", (1, 3))
    sketch.input("x", (4, 4))
    sketch.node("Sigmoid", ["routing"], "r")
    mix(sketch, "r", generator.standard_normal((3, 4, 5)).astype(np.float32), "kernel", (4, 5))
    sketch.node("Gemm", ["x", "kernel", sketch.constant("b", np.ones(5, dtype=np.float32))], "y", **attributes)
    assert list(find_condconv(sketch.model("y"))) == []


def test_a_product_of_two_computed_features_is_an_ordinary_product() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 4, 4))
    sketch.node("Sigmoid", ["x"], "left")
    sketch.node("Tanh", ["x"], "right")
    sketch.node("MatMul", ["left", "right"], "y")
    assert list(find_condconv(sketch.model("y"))) == []


def test_a_product_of_two_vectors_is_an_ordinary_product() -> None:
    sketch = Sketch()
    sketch.input("x", (6,))
    sketch.input("r", (1, 2))
    mix(sketch, "r", np.ones((2, 6), dtype=np.float32), "vector", (6,))
    sketch.node("MatMul", ["x", "vector"], "y", module="layer")
    assert list(find_condconv(sketch.model("y"))) == []


def test_several_matrices_an_image_are_declined() -> None:
    sketch = Sketch()
    sketch.input("x", (2, 6, 4))
    sketch.input("r", (1, 3))
    mix(sketch, "r", np.random.default_rng(0).standard_normal((3, 2, 4, 5)).astype(np.float32), "kernel", (2, 4, 5))
    sketch.node("MatMul", ["x", "kernel"], "y", module="layer")
    (finding,) = find_condconv(sketch.model("y"))
    assert isinstance(finding, Declined)
    assert finding.reason == "a mixture of matrices times (2, 6, 4): only one matrix an image is supported"


def test_layers_that_share_a_kernel_are_both_named() -> None:
    case = condconv_case(in_channels=6, images=1)
    sketch = unnamed(case)
    attributes = dict(case.conv.settings.attributes())
    sketch.node("Conv", ["y", "kernel"], "z", module="second", **attributes)
    model = sketch.model("z")
    before = run(model, case.feeds)["z"]
    found = recognise(model)
    assert [record.path for record in found.layers] == ["layer", "second"]
    assert found.routing_values == ("r",)
    assert operators(model) == {"Sigmoid": 1, "CondConv": 2}
    assert_same(before, run(model, case.feeds)["z"])
