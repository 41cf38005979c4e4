"""Which convolutions and which computed weights meet in a value."""

from __future__ import annotations

import numpy as np
import pytest

from condmix.exporters.recognise.dominators import input_dependent, node_positions
from condmix.exporters.recognise.expert_region import ExpertRegion, find_region
from tests.exporters.graphs import produced_by
from tests.exporters.sketch import Sketch


def two_experts(*, residual: bool = False, plain: bool = False, twice: bool = False) -> Sketch:
    """x (1, 4, 20, 20) -> 1x1 convolutions to 4 channels, weighed by a number of the input `routing`, in `total`."""
    sketch = Sketch()
    sketch.input("x", (1, 4, 20, 20))
    sketch.input("routing", (1, 1, 1, 1))
    sketch.node("Sigmoid", ["routing"], "r")
    parts = []
    for index in range(2):
        kernel = sketch.constant(f"w{index}", np.full((4, 4, 1, 1), index + 1.0, dtype=np.float32))
        part = sketch.node("Conv", ["x", kernel], f"z{index}", module="experts")
        parts.append(part if plain else sketch.node("Mul", [part, "r"], f"part{index}"))
    sketch.node("Add", [*parts], "total")
    if residual:
        sketch.node("Add", ["total", "x"], "joined")
    if twice:
        sketch.node("Relu", ["z0"], "other")
    return sketch


def region_of(sketch: Sketch, name: str, *outputs: str) -> ExpertRegion | None:
    model = sketch.model(name, *outputs)
    return find_region(produced_by(model, name).outputs[0], node_positions(model.graph), input_dependent(model.graph))


def test_a_region_has_its_experts_weights_and_nodes_in_order() -> None:
    region = region_of(two_experts(), "total")
    assert region is not None
    assert sorted(expert.output.name or "" for expert in region.experts) == ["z0", "z1"]
    assert [value.name for value in region.weights] == ["r"]
    assert (region.x.name, region.channels, region.scales) == ("x", 8, ())
    assert [node.op_type for node in region.nodes] == ["Conv", "Conv", "Mul", "Mul", "Add"]
    assert region.nodes[-1].outputs[0] is region.result


def test_padding_and_a_number_in_front_are_taken_in() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 2, 5, 5))
    sketch.input("routing", (1, 2, 1, 1))
    sketch.node("Sigmoid", ["routing"], "r")
    sketch.node("Split", ["r", sketch.constant("sizes", [1, 1])], ["r0", "r1"], axis=1)
    pads = sketch.constant("pads", [0, 0, 1, 0, 0, 0, 2, 3])
    for index in range(2):
        kernel = sketch.constant(f"w{index}", np.ones((3, 2, 3, 3), dtype=np.float32))
        sketch.node("Mul", [f"r{index}", "x"], f"x{index}")
        sketch.node("Conv", [sketch.node("Pad", [f"x{index}", pads], f"p{index}"), kernel], f"z{index}")
    sketch.node("Add", ["z0", "z1"], "total")
    region = region_of(sketch, "total")
    assert region is not None
    assert region.x.name == "x"
    assert sorted(value.name or "" for value in region.scales) == ["r0", "r1"]
    assert {expert.settings.pads for expert in region.experts} == {(1, 0, 2, 3)}


@pytest.mark.parametrize(
    ("sketch", "name", "outputs"),
    [
        (two_experts(residual=True), "joined", ()),
        (two_experts(plain=True), "total", ()),
        (two_experts(twice=True), "total", ("other",)),
        (two_experts(), "part0", ("total",)),
        (two_experts(), "total", ("z0",)),
    ],
    ids=["a map comes in", "no weight comes in", "an output is read elsewhere", "not the end of a sum", "an output"],
)
def test_anything_else_is_no_region(sketch: Sketch, name: str, outputs: tuple[str, ...]) -> None:
    assert region_of(sketch, name, *outputs) is None
