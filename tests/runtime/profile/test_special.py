"""Routing, kernel mixing and the like, found in the graph."""

from __future__ import annotations

import pytest

from condmix.runtime.profile.special import Row, rows_of
from condmix.runtime.profile.step import Family
from tests.runtime.profile.nets import graph, step

ROUTING, MIXING, OTHER = Row.ROUTING, Row.KERNEL_MIXING, Row.OTHER
SHAPES = {
    "x": (1, 16, 8, 8), "pooled": (1, 16, 1, 1), "flat": (1, 16), "scores": (1, 4), "gates": (1, 4),
    "mixed": (1, 256), "kernel": (16, 16, 1, 1), "y": (1, 16, 8, 8), "positions": (1, 64, 16), "product": (1, 64, 16),
    "r0": (1, 1, 1, 1), "scaled": (1, 16, 8, 8), "kernel8": (1, 256), "squeezed": (1, 16, 1, 1),
}  # fmt: skip
ROUTE = [
    step("Conv image > x", family=Family.CONVOLUTION),
    step("GlobalAveragePool x > pooled", family=Family.POOL),
    step("Flatten pooled > flat", family=Family.RESHAPE),
    step("Gemm flat > scores", family=Family.PRODUCT),
    step("Sigmoid scores > gates"),
]
ROUTE_ROWS = [OTHER, ROUTING, ROUTING, ROUTING, ROUTING]


def rows(steps) -> list[Row]:
    return list(rows_of(graph(steps, SHAPES)))


def test_what_makes_the_kernel_of_a_convolution_is_mixing_and_what_makes_its_weights_is_routing():
    steps = [
        *ROUTE,
        step("MatMul gates > mixed", family=Family.PRODUCT),
        step("Reshape mixed > kernel", family=Family.RESHAPE),
        step("Conv x kernel > y", family=Family.POINTWISE, kernel="kernel"),
    ]
    assert rows(steps) == [*ROUTE_ROWS, MIXING, MIXING, OTHER]


def test_a_kernel_that_is_quantised_on_the_way_is_mixing_throughout():
    steps = [
        *ROUTE,
        step("MatMulIntegerToFloat gates > mixed", family=Family.PRODUCT),
        step("QuantizeLinear mixed > kernel8", family=Family.BOUNDARY),
        step("Reshape kernel8 > kernel", family=Family.RESHAPE),
        step("QLinearConv x kernel > y", family=Family.POINTWISE, kernel="kernel"),
    ]
    assert rows(steps) == [*ROUTE_ROWS, MIXING, MIXING, MIXING, OTHER]


@pytest.mark.parametrize("operands", ["positions kernel", "kernel positions"])
def test_a_mixed_kernel_is_also_found_where_a_matrix_product_takes_it(operands: str):
    steps = [
        *ROUTE,
        step("FULLY_CONNECTED gates > mixed", family=Family.PRODUCT),
        step("RESHAPE mixed > kernel", family=Family.RESHAPE),
        step("RESHAPE x > positions", family=Family.RESHAPE),
        step(f"BATCH_MATMUL {operands} > product", family=Family.PRODUCT),
    ]
    assert rows(steps) == [*ROUTE_ROWS, MIXING, MIXING, OTHER, OTHER]


def test_scaling_images_by_the_weight_of_an_expert_is_mixing():
    steps = [
        *ROUTE,
        step("Split gates > r0", family=Family.SPLIT_CONCAT),
        step("Mul x r0 > scaled"),
        step("Conv scaled > y", family=Family.DEPTHWISE),
    ]
    assert rows(steps) == [*ROUTE_ROWS, ROUTING, MIXING, OTHER]


def test_squeeze_and_excite_is_neither():
    steps = [
        step("Conv image > x", family=Family.CONVOLUTION),
        step("GlobalAveragePool x > pooled", family=Family.POOL),
        step("Conv pooled > squeezed", family=Family.POINTWISE),
        step("Mul x squeezed > scaled"),
    ]
    assert rows(steps) == [OTHER] * 4


def test_a_product_of_two_activations_is_no_mixing():
    """As in attention: what wrote the operands read as much as they are."""
    steps = [
        step("MatMul image > positions", family=Family.PRODUCT),
        step("Softmax image > product"),
        step("MatMul positions product > y", family=Family.PRODUCT),
    ]
    assert rows(steps) == [OTHER] * 3


def test_movement_elsewhere_has_rows_of_its_own():
    families = [Family.SPLIT_CONCAT, Family.LAYOUT, Family.BOUNDARY, Family.RESHAPE]
    steps = [step("Any image > x", family=family) for family in families]
    assert rows(steps) == [Row.SPLIT_CONCAT, Row.LAYOUT, Row.BOUNDARY, OTHER]
