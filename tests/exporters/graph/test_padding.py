"""Reading a Pad in front of a convolution as four numbers."""

from __future__ import annotations

import onnx_ir as ir
import pytest

from condmix.exporters.graph.padding import spatial_zero_pads
from tests.exporters.graphs import produced_by
from tests.exporters.sketch import Sketch


def padded(amounts: list[int], *further: object, mode: str | None = None, rank: int = 4) -> ir.Value:
    """The result of a Pad of an image; `further` are the constant value and the axes ('' for absent)."""
    sketch = Sketch()
    sketch.input("x", (1, 2, 4, 4)[:rank])
    inputs = ["x", sketch.constant("amounts", amounts)]
    for index, content in enumerate(further):
        inputs.append("" if content == "" else sketch.constant(f"further{index}", content))  # type: ignore[arg-type]
    sketch.node("Pad", inputs, "y", **({} if mode is None else {"mode": mode}))
    return produced_by(sketch.model("y"), "y").outputs[0]


@pytest.mark.parametrize(
    "value",
    [
        padded([0, 0, 1, 2, 0, 0, 3, 4]),
        padded([0, 0, 1, 2, 0, 0, 3, 4], 0.0),
        padded([0, 0, 1, 2, 0, 0, 3, 4], 0.0, [0, 1, 2, 3]),
        padded([1, 2, 3, 4], "", [2, 3]),
        padded([2, 1, 4, 3], "", [-1, -2]),
        padded([0, 1, 2, 0, 3, 4], "", [1, 2, 3]),
        padded([0, 0, 1, 2, 0, 0, 3, 4], mode="constant"),
    ],
)
def test_top_left_bottom_right(value: ir.Value) -> None:
    found = spatial_zero_pads(value)
    assert found is not None
    assert found.pads == (1, 2, 3, 4)
    assert found.source.name == "x"
    assert found.node is value.producer()


@pytest.mark.parametrize(
    "value",
    [
        padded([0, 0, 1, 2, 0, 0, 3, 4], 1.0),
        padded([0, 0, 1, 1, 0, 0, 1, 1], mode="reflect"),
        padded([0, 0, 1, 1, 0, 0, 1, 1], mode="edge"),
        padded([0, 1, 1, 1, 0, 0, 1, 1]),
        padded([0, 0, 1, 1, 1, 0, 1, 1]),
        padded([0, 0, -1, 0, 0, 0, 0, 0]),
        padded([0, 0, 1, 0, 0, 1], rank=3),
    ],
)
def test_anything_else_is_not_read(value: ir.Value) -> None:
    assert spatial_zero_pads(value) is None


@pytest.mark.parametrize("computed", ["amounts", "fill"])
def test_computed_numbers_are_not_read(computed: str) -> None:
    sketch = Sketch()
    sketch.input("x", (1, 2, 4, 4))
    sketch.constant("amounts", [0, 0, 1, 1, 0, 0, 1, 1])
    sketch.constant("fill", 0.0)
    if computed == "amounts":
        sketch.input("given", (8,), element_type=7)
        inputs = ["x", "given", "fill"]
    else:
        sketch.input("given", ())
        inputs = ["x", "amounts", "given"]
    sketch.node("Pad", inputs, "y")
    assert spatial_zero_pads(produced_by(sketch.model("y"), "y").outputs[0]) is None


def test_other_producers_and_inputs_are_not_read() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 2, 4, 4))
    sketch.node("Relu", ["x"], "y")
    model = sketch.model("y")
    assert spatial_zero_pads(produced_by(model, "y").outputs[0]) is None
    assert spatial_zero_pads(next(iter(model.graph.inputs))) is None


def test_the_pads_of_the_convolution_are_added() -> None:
    found = spatial_zero_pads(padded([0, 0, 1, 2, 0, 0, 3, 4]))
    assert found is not None
    assert found.plus((10, 20, 30, 40)) == (11, 22, 33, 44)
