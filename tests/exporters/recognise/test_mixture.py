"""Is a computed kernel a mixture? Linear and affine ones are read off, all others refused with their reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from condmix.exporters.recognise.dominators import input_dependent, node_positions
from condmix.exporters.recognise.mixture import LARGEST_ROUTING, Mixture, NotAMixture, find_mixture
from tests.exporters.conv_cases import exact_rule, seeds
from tests.exporters.graphs import produced_by
from tests.exporters.sketch import Sketch

Write = Callable[[Sketch, str, np.ndarray], str]
"""Adds nodes that mix a bank (experts, ...) by the value of that name, shape (1, experts); returns the kernel."""


def by_product(sketch: Sketch, r: str, bank: np.ndarray) -> str:
    flat = sketch.constant("bank", bank.reshape(len(bank), -1))
    sketch.node("MatMul", [r, flat], "mixed")
    return sketch.node("Reshape", ["mixed", sketch.constant("kernel_shape", bank.shape[1:])], "kernel")


def by_sum(sketch: Sketch, r: str, bank: np.ndarray) -> str:
    gates = sketch.constant("gates_shape", [len(bank)] + [1] * (bank.ndim - 1))
    sketch.node("Reshape", [r, gates], "gates")
    sketch.node("Mul", ["gates", sketch.constant("bank", bank)], "weighted")
    return sketch.node("ReduceSum", ["weighted", sketch.constant("axis", [0])], "kernel", keepdims=0)


def by_loop(sketch: Sketch, r: str, bank: np.ndarray) -> str:
    last = ""
    for index, expert in enumerate(bank):
        gate = sketch.node("Gather", [r, sketch.constant(f"index{index}", [index])], f"gate{index}", axis=1)
        sketch.node("Mul", [gate, sketch.constant(f"expert{index}", expert)], f"weighted{index}")
        last = sketch.node("Add", [last, f"weighted{index}"], f"sum{index}") if last else f"weighted{index}"
    return sketch.node("Reshape", [last, sketch.constant("kernel_shape", bank.shape[1:])], "kernel")


WRITTEN: dict[str, Write] = {"product": by_product, "sum": by_sum, "loop": by_loop}


def routed(experts: int, *, channels: int = 3) -> Sketch:
    """image -> pooled -> Gemm -> Sigmoid `r` of shape (1, experts)."""
    generator = np.random.default_rng(5)
    sketch = Sketch()
    sketch.input("image", (1, channels, 4, 4))
    sketch.node("ReduceMean", ["image", sketch.constant("spatial", [2, 3])], "pooled", keepdims=0)
    matrix = generator.standard_normal((channels, experts)).astype(np.float32)
    sketch.node("MatMul", ["pooled", sketch.constant("router", matrix)], "logits")
    sketch.node("Sigmoid", ["logits"], "r")
    return sketch


def find(sketch: Sketch, targets: Sequence[str]) -> Mixture | NotAMixture:
    model = sketch.model(*targets)
    values = [produced_by(model, name).outputs[0] for name in targets]
    return find_mixture(model, values, node_positions(model.graph), input_dependent(model.graph))


def random_bank(experts: int, seed: int = 0, shape: tuple[int, ...] = (4, 3, 3, 3)) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((experts, *shape)).astype(np.float32)


@exact_rule
@given(
    experts=st.integers(1, 6),
    written=st.sampled_from(sorted(WRITTEN)),
    shape=st.tuples(st.integers(1, 4), st.integers(2, 4), st.integers(1, 3), st.integers(2, 3)),
    seed=seeds,
)
def test_the_experts_of_a_linear_kernel_are_read_off(
    experts: int, written: str, shape: tuple[int, ...], seed: int
) -> None:
    bank = random_bank(experts, seed, shape)
    # With as many gates as numbers in the kernel there is nothing to find.
    assume(experts < bank[0].size)
    sketch = routed(experts)
    found = find(sketch, [WRITTEN[written](sketch, "r", bank)])
    assert isinstance(found, Mixture)
    assert found.routing.name == "r"
    assert found.experts[0].dtype == np.float64
    # A basis vector leaves one expert, so not even rounding is in it.
    np.testing.assert_array_equal(found.experts[0], bank)
    np.testing.assert_array_equal(found.constants[0], np.zeros(shape))


def test_an_affine_kernel_has_a_constant_part() -> None:
    bank, base = random_bank(3), random_bank(1, 1)[0]
    sketch = routed(3)
    by_product(sketch, "r", bank)
    sketch.node("Add", ["kernel", sketch.constant("base", base)], "whole")
    found = find(sketch, ["whole"])
    assert isinstance(found, Mixture)
    np.testing.assert_allclose(found.experts[0], bank, atol=5e-7)
    np.testing.assert_array_equal(found.constants[0], base)


def test_kernel_and_bias_are_read_from_one_routing() -> None:
    bank, biases = random_bank(3), random_bank(3, 1, (4,))
    sketch = routed(3)
    by_product(sketch, "r", bank)
    sketch.node("MatMul", ["r", sketch.constant("biases", biases)], "row")
    sketch.node("Reshape", ["row", sketch.constant("bias_shape", [4])], "bias")
    found = find(sketch, ["kernel", "bias"])
    assert isinstance(found, Mixture)
    assert found.routing.name == "r"
    np.testing.assert_array_equal(found.experts[0], bank)
    np.testing.assert_array_equal(found.experts[1], biases)


def test_of_equal_vectors_the_one_nearer_the_input_is_the_routing() -> None:
    sketch = routed(3)
    sketch.node("Reshape", ["r", sketch.constant("column", [3, 1, 1, 1, 1])], "as column")
    sketch.node("Mul", ["as column", sketch.constant("bank", random_bank(3))], "weighted")
    sketch.node("ReduceSum", ["weighted", sketch.constant("axis", [0])], "kernel", keepdims=0)
    found = find(sketch, ["kernel"])
    assert isinstance(found, Mixture)
    assert found.routing.name == "r"


def test_softmax_gates_are_the_routing_and_not_the_logits() -> None:
    sketch = routed(3)
    sketch.node("Softmax", ["logits"], "shares", axis=1)
    by_product(sketch, "shares", random_bank(3))
    found = find(sketch, ["kernel"])
    assert isinstance(found, Mixture)
    assert found.routing.name == "shares"


def refused(sketch: Sketch, *targets: str) -> str:
    found = find(sketch, targets)
    assert isinstance(found, NotAMixture)
    return found.reason


def test_a_curved_kernel_is_refused_with_how_far_it_is_off() -> None:
    sketch = routed(3)
    by_product(sketch, "r", random_bank(3))
    sketch.node("Tanh", ["kernel"], "curved")
    reason = refused(sketch, "curved")
    assert reason.startswith(
        "the kernel is not linear in 'r' (3 numbers), the narrowest value it is computed from: off by "
    )
    assert reason.endswith(" of its largest element")


def test_a_kernel_normalised_over_its_experts_is_refused() -> None:
    sketch = routed(3)
    by_product(sketch, "r", random_bank(3))
    sketch.node("ReduceL2", ["kernel"], "length")
    sketch.node("Div", ["kernel", "length"], "unit")
    assert "the kernel is not linear in 'r' (3 numbers)" in refused(sketch, "unit")


def test_a_kernel_that_is_not_finite_is_refused() -> None:
    sketch = routed(3)
    sketch.node("Sqrt", ["r"], "root")
    by_product(sketch, "root", random_bank(3))
    sketch.node("Log", ["kernel"], "logarithm")
    assert "not finite for every value of it" in refused(sketch, "logarithm")


def test_a_slightly_curved_kernel_is_refused_as_well() -> None:
    bank = random_bank(3)
    sketch = routed(3)
    by_product(sketch, "r", bank)
    sketch.node("Mul", ["kernel", "kernel"], "square")
    sketch.node("Mul", ["square", sketch.constant("little", 1e-4)], "bend")
    sketch.node("Add", ["kernel", "bend"], "whole")
    assert "the kernel is not linear in 'r'" in refused(sketch, "whole")


def test_a_modulated_kernel_is_no_mixture() -> None:
    sketch = routed(6, channels=6)
    # w * style: linear in the style, one number an input channel, but one kernel is all that is stored.
    sketch.node("Reshape", ["r", sketch.constant("row", [1, 6, 1, 1])], "style")
    weight = random_bank(1, 0, (4, 6, 3, 3))[0]
    sketch.node("Mul", ["style", sketch.constant("weight", weight)], "kernel")
    assert refused(sketch, "kernel") == (
        "linear in 'r' (6 numbers), but as 6 experts it would store 6 times the numbers it stores now: "
        "a modulated kernel, not a mixture"
    )


def test_more_numbers_than_a_routing_has_are_features() -> None:
    wide = LARGEST_ROUTING + 1
    sketch = Sketch()
    sketch.input("features", (1, wide))
    sketch.node("Sigmoid", ["features"], "gates")
    sketch.node("MatMul", ["gates", sketch.constant("matrix", random_bank(wide, 0, (36,)))], "flat")
    sketch.node("Reshape", ["flat", sketch.constant("shape", [2, 2, 3, 3])], "kernel")
    assert refused(sketch, "kernel") == (
        f"no small vector separates the kernel from the input (at most {LARGEST_ROUTING} numbers)"
    )


def test_a_vector_as_large_as_the_kernel_is_no_routing() -> None:
    sketch = Sketch()
    sketch.input("features", (1, 8))
    sketch.node("Sigmoid", ["features"], "gates")
    sketch.node("Reshape", ["gates", sketch.constant("shape", [2, 4, 1, 1])], "kernel")
    assert "no small vector separates the kernel from the input" in refused(sketch, "kernel")


def test_the_search_ends_where_linearity_does() -> None:
    """The image itself is not tried once a nearer value is found wanting: large subgraphs cost time."""
    sketch = routed(3)
    by_product(sketch, "r", random_bank(3))
    model = sketch.model("kernel")
    found = find_mixture(model, [kernel_of(model)], node_positions(model.graph), input_dependent(model.graph), seed=3)
    assert isinstance(found, Mixture)
    assert found.routing.name == "r"


def kernel_of(model: ir.Model) -> ir.Value:
    return produced_by(model, "kernel").outputs[0]


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_size_of_the_experts_does_not_matter(scale: float) -> None:
    bank = (random_bank(4) * scale).astype(np.float32)
    for curve, kind in (("Identity", Mixture), ("Abs", NotAMixture)):
        sketch = routed(4)
        by_product(sketch, "r", bank)
        sketch.node(curve, ["kernel"], "shown")
        assert isinstance(find(sketch, ["shown"]), kind)
