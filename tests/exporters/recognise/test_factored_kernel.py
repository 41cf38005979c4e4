"""Which vectors stand in a kernel and what each does, read off by running it."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from condmix.exporters.named.condconv import ConvSettings
from condmix.exporters.recognise.dominators import input_dependent, node_positions
from condmix.exporters.recognise.factored_kernel import IN, OUT, TAPS, FactoredKernel, find_factored_kernel
from tests.exporters.conv_cases import ConvCase
from tests.exporters.graphs import node_of
from tests.exporters.recognise.omni_graphs import OmniCase
from tests.exporters.sketch import Sketch

SETTINGS = ConvSettings(kernel=(3, 3), strides=(1, 1), pads=(1, 1, 1, 1), dilations=(1, 1), group=1)
CONV = ConvCase(in_channels=4, out_channels=6, settings=SETTINGS, input_size=(7, 7))


def case(*factors: str, first: bool = True) -> OmniCase:
    return OmniCase(conv=CONV, experts=3, factors=factors, factors_first=first, bias=False, seed=5)


def found_in(model: ir.Model) -> FactoredKernel | None:
    kernel = node_of(model, "Conv").inputs[1]
    assert kernel is not None
    return find_factored_kernel(model, kernel, node_positions(model.graph), input_dependent(model.graph))


@pytest.mark.parametrize("first", [True, False])
def test_every_vector_is_told_by_what_it_does(first: bool) -> None:
    found = found_in(case("in", "taps", "out", first=first).model())
    assert found is not None
    assert found.routing.name == "r_gate"
    assert {axis: value.name for axis, value in found.factors.items()} == {
        IN: "in_gate", OUT: "out_gate", TAPS: "taps_gate",
    }  # fmt: skip
    assert found.experts_eoihw.shape == (3, 6, 4, 3, 3)
    assert found.deviation < 2e-6


def test_experts_are_the_stored_ones() -> None:
    wanted = case("taps")
    found = found_in(wanted.model())
    assert found is not None
    bank = CONV.weights(np.random.default_rng(6), 3)
    np.testing.assert_allclose(found.experts_eoihw, bank, rtol=1e-6, atol=1e-7)


def test_a_mixture_alone_is_none_of_this() -> None:
    assert found_in(case().model()) is None


def curved(operator: str, *more: str) -> ir.Model:
    """The kernel behind an operator that is not linear in the taps' attention."""
    sketch = Sketch()
    sketch.input("x", (1, 4, 7, 7))
    sketch.input("r", (3, 1, 1, 1, 1))
    sketch.input("t", (1, 1, 3, 3))
    bank = sketch.constant("bank", CONV.weights(np.random.default_rng(0), 3))
    sketch.node("Mul", ["r", bank], "weighed")
    sketch.node("ReduceSum", ["weighed", sketch.constant("first", (0,))], "mixed", keepdims=0)
    sketch.node("Mul", ["mixed", "t"], "scaled")
    sketch.node(operator, ["scaled", *(sketch.constant(name, 2.0) for name in more)], "kernel")
    sketch.node("Conv", ["x", "kernel"], "y", pads=(1, 1, 1, 1))
    return sketch.model("y")


@pytest.mark.parametrize("operator", ["Tanh", "Relu", "Exp"])
def test_a_curved_kernel_is_none(operator: str) -> None:
    assert found_in(curved(operator)) is None


def test_a_product_with_a_number_is_one() -> None:
    assert found_in(curved("Mul", "two")) is not None


def test_two_vectors_that_both_mix_are_none() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 4, 7, 7))
    sketch.input("r", (3, 1, 1, 1, 1, 1))
    sketch.input("q", (1, 2, 1, 1, 1, 1))
    bank = sketch.constant("bank", CONV.weights(np.random.default_rng(0), 3, 2))
    sketch.node("Mul", ["r", bank], "weighed")
    sketch.node("Mul", ["weighed", "q"], "both")
    sketch.node("ReduceSum", ["both", sketch.constant("first", (0, 1))], "kernel", keepdims=0)
    sketch.node("Conv", ["x", "kernel"], "y", pads=(1, 1, 1, 1))
    assert found_in(sketch.model("y")) is None
