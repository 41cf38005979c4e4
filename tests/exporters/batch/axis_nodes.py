"""Nodes around one operator each, from the value x to the value y, for the cases of the axis rules."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.exporters.condconv_cases import condconv_case
from tests.exporters.sketch import Sketch

Build = Callable[[Sketch, str, str], object]
"""Adds nodes that compute the value of the second name from that of the first; the operator is of module `m`."""

INT64, FLOAT = 7, 1
IMAGE = (1, 2, 3, 4)


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def unary(op_type: str, **attributes: object) -> Build:
    return lambda sketch, x, y: sketch.node(op_type, [x], y, module="m", **attributes)


def with_constant(op_type: str, constant: np.ndarray, *, first: bool = False, **attributes: object) -> Build:
    """The operator on x and a constant `c`, which comes first or second."""

    def build(sketch: Sketch, x: str, y: str) -> None:
        names = [x, sketch.constant("c", constant)]
        sketch.node(op_type, names[::-1] if first else names, y, module="m", **attributes)

    return build


def with_integers(op_type: str, *lists: list[int] | None, **attributes: object) -> Build:
    """Further inputs of integers; None for an absent one."""

    def build(sketch: Sketch, x: str, y: str) -> None:
        names = ["" if item is None else sketch.constant(f"i{index}", item) for index, item in enumerate(lists)]
        sketch.node(op_type, [x, *names], y, module="m", **attributes)

    return build


def turned(perm: list[int], then: Build) -> Build:
    """The same behind a Transpose: the batch lies on another axis."""

    def build(sketch: Sketch, x: str, y: str) -> None:
        then(sketch, sketch.node("Transpose", [x], "turned", perm=perm), y)

    return build


def cast_back(then: Build) -> Build:
    """The operator gives integers."""

    def build(sketch: Sketch, x: str, y: str) -> None:
        then(sketch, x, "whole")
        sketch.node("Cast", ["whole"], y, to=FLOAT)

    return build


def of_integers(op_type: str, *further: np.ndarray, **attributes: object) -> Build:
    """The operator takes x as whole numbers."""

    def build(sketch: Sketch, x: str, y: str) -> None:
        sketch.node("Abs", [x], "positive")
        sketch.node("Cast", ["positive"], "whole", to=INT64)
        names = [sketch.constant(f"f{index}", item) for index, item in enumerate(further)]
        sketch.node(op_type, ["whole", *names], "picked", module="m", **attributes)
        sketch.node("Cast", ["picked"], y, to=FLOAT)

    return build


def both(op_type: str, first: str, second: str, **attributes: object) -> Build:
    """The operator on two unary functions of x."""

    def build(sketch: Sketch, x: str, y: str) -> None:
        inputs = [sketch.node(first, [x], "a"), sketch.node(second, [x], "b")]
        sketch.node(op_type, inputs, y, module="m", **attributes)

    return build


def with_turned(op_type: str, perm: list[int], *, first: bool = False) -> Build:
    """The operator on x and x transposed, or the other way round."""

    def build(sketch: Sketch, x: str, y: str) -> None:
        names = [x, sketch.node("Transpose", [x], "turned", perm=perm)]
        sketch.node(op_type, names[::-1] if first else names, y, module="m")

    return build


def clip(sketch: Sketch, x: str, y: str) -> None:
    sketch.node("Clip", [x, sketch.constant("low", 0.0), sketch.constant("high", 1.0)], y, module="m")


def norm(sketch: Sketch, x: str, y: str) -> None:
    names = [sketch.constant(name, np.abs(numbers(2, seed=index)) + 0.5) for index, name in enumerate("gbmv")]
    sketch.node("BatchNormalization", [x, *names], y, module="m")


def largest(axis: int, count: int) -> Build:
    """The values of TopK."""
    return lambda sketch, x, y: sketch.node(
        "TopK", [x, sketch.constant("k", [count])], [y, "indices"], module="m", axis=axis
    )


def first_part(axis: int, sizes: list[int]) -> Build:
    """The first result of a Split."""

    def build(sketch: Sketch, x: str, y: str) -> None:
        parts = [f"part{index}" for index in range(len(sizes))]
        sketch.node("Split", [x, sketch.constant("sizes", sizes)], parts, module="m", axis=axis)
        sketch.node("Neg", ["part0"], y)

    return build


def routed_by_a_constant(sketch: Sketch, x: str, y: str) -> None:
    """A CondConv whose routing is stored."""
    case = condconv_case(in_channels=2, input_size=(3, 4), images=1)
    case.add_to(sketch, x, sketch.constant("routing", case.routing_ne), y, module="m")


def routed_on_another_axis(sketch: Sketch, x: str, y: str) -> None:
    """A CondConv of one expert whose routing has the images in its second axis."""
    case = condconv_case(in_channels=2, input_size=(3, 4), images=1, experts=1)
    sketch.node("ReduceMean", [x, sketch.constant("axes", [1, 2])], "mean", keepdims=0)
    sketch.node("ReduceMean", ["mean", sketch.constant("axis", [1])], "one", keepdims=1)
    sketch.node("Transpose", ["one"], "routing", perm=[1, 0])
    case.add_to(sketch, x, "routing", y, module="m")
