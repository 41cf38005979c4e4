"""The exact GELU, as written out in ONNX, is one operator; anything else with an Erf is not taken for it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from condmix.exporters.errors import NotExportableError
from condmix.exporters.tflite.gelu import gelu_end
from tests.exporters.graphs import node_of, produced_by
from tests.exporters.sketch import Sketch
from tests.exporters.tflite.running import assert_as_in_onnx, counted, options_of, written

SHAPE = (1, 3, 4, 5)
ROOT = math.sqrt(2.0)


def gelu(
    *,
    order: str = "x first",
    divides: bool = True,
    factor: float | None = None,
    half: float = 0.5,
    one: float = 1.0,
    swap: bool = False,
) -> Sketch:
    """One of the ways to write x / 2 * (1 + erf(x / sqrt 2)); the numbers may be spoilt."""
    sketch = Sketch()
    x = sketch.input("x", SHAPE)
    names = {"half": sketch.constant("half", half), "one": sketch.constant("one", one)}

    def times(left: str, right: str, output: str) -> str:
        return sketch.node("Mul", [right, left] if swap else [left, right], output, module="act")

    scale = factor or (ROOT if divides else 1 / ROOT)
    sketch.node("Div" if divides else "Mul", [x, sketch.constant("scale", scale)], "scaled", module="act")
    sketch.node("Erf", ["scaled"], "erf", module="act")
    sketch.node("Add", [names["one"], "erf"] if swap else ["erf", names["one"]], "plus", module="act")
    if order == "x first":
        times("plus", x, "product")
        times("product", names["half"], "y")
    elif order == "half first":
        times("plus", names["half"], "product")
        times("product", x, "y")
    else:
        times(x, names["half"], "half_x")
        times("half_x", "plus", "y")
    return sketch


@pytest.mark.parametrize("order", ["x first", "half first", "half of x"])
@pytest.mark.parametrize("divides", [True, False])
@pytest.mark.parametrize("swap", [True, False])
def test_every_way_to_write_it_is_one_operator(order: str, divides: bool, swap: bool) -> None:
    sketch = gelu(order=order, divides=divides, swap=swap)
    sketch.node("Relu", ["y"], "z")
    x = 3 * np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)
    content = assert_as_in_onnx(sketch.model("z"), {"x": x})
    assert counted(content) == {"GELU": 1, "RELU": 1}
    assert vars(options_of(content, "GELU")) == {"approximate": False}


@pytest.mark.parametrize("spoilt", [{"factor": 1.5}, {"half": 0.25}, {"one": 2.0}, {"divides": False, "factor": ROOT}])
def test_other_numbers_are_not_it(spoilt: dict[str, float]) -> None:
    model = gelu(**spoilt).model("y")  # type: ignore[arg-type]
    assert gelu_end(node_of(model, "Erf")) is None
    with pytest.raises(NotExportableError, match=r"act: Erf 'node_erf': no TFLite form is known"):
        written(model)


@pytest.mark.parametrize("inner", ["scaled", "erf", "plus", "product"])
def test_a_value_within_that_somebody_else_reads_keeps_the_operators_apart(inner: str) -> None:
    sketch = gelu()
    sketch.node("Neg", [inner], "other")
    assert gelu_end(node_of(sketch.model("y", "other"), "Erf")) is None


def test_the_product_with_another_value_is_not_it() -> None:
    sketch = Sketch()
    names = [sketch.input("x", SHAPE), sketch.input("z", SHAPE)]
    sketch.node("Div", ["x", sketch.constant("root", ROOT)], "scaled")
    sketch.node("Erf", ["scaled"], "erf")
    sketch.node("Add", ["erf", sketch.constant("one", 1.0)], "plus")
    sketch.node("Mul", ["plus", names[1]], "product")
    sketch.node("Mul", ["product", sketch.constant("half", 0.5)], "y")
    assert gelu_end(node_of(sketch.model("y"), "Erf")) is None


def test_a_sum_in_place_of_the_last_product_is_not_it() -> None:
    sketch = Sketch()
    sketch.node("Div", [sketch.input("x", SHAPE), sketch.constant("root", ROOT)], "scaled")
    sketch.node("Erf", ["scaled"], "erf")
    sketch.node("Add", ["erf", sketch.constant("one", 1.0)], "plus")
    sketch.node("Mul", ["plus", "x"], "product")
    sketch.node("Add", ["product", sketch.constant("half", 0.5)], "y")
    assert gelu_end(node_of(sketch.model("y"), "Erf")) is None


def test_the_whole_pattern_is_named() -> None:
    model = gelu(order="half of x").model("y")
    found = gelu_end(node_of(model, "Erf"))
    assert found is not None
    x, nodes = found
    assert x.name == "x"
    assert nodes[-1] is produced_by(model, "y")
    assert {node.outputs[0].name for node in nodes} == {"scaled", "erf", "plus", "half_x", "y"}
