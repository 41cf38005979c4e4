"""Gates that are repeated along a row: the same numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from condmix.exporters.quantize.onnx import wide_gates
from condmix.exporters.quantize.onnx.wide_gates import widen_gates
from tests.exporters.graphs import assert_same, operators, run
from tests.exporters.quantize.onnx.rounding import built, engine_operators, images_of, outputs
from tests.exporters.sketch import Sketch


def network(
    channels: int = 6, size: tuple[int, int] = (20, 24), *, gate_first: bool = False, narrow: bool = False
) -> ir.Model:
    """A convolution, its gate, and the product. narrow: the gate has one channel."""
    generator = np.random.default_rng(0)
    sketch = Sketch()
    sketch.input("x", (1, 4, *size))
    weights = {"w": (channels, 4, 3, 3), "g": (1 if narrow else channels, channels, 1, 1), "p": (5, channels, 1, 1)}
    for name, shape in weights.items():
        sketch.constant(name, generator.standard_normal(shape).astype(np.float32) / 3)
    image = sketch.node("Conv", ["x", "w"], "image", module="block", pads=[1, 1, 1, 1])
    pooled = sketch.node("GlobalAveragePool", [image], "pooled", module="block")
    gate = sketch.node("Sigmoid", [sketch.node("Conv", [pooled, "g"], "squeezed", module="block")], "gate")
    sketch.node("Mul", [gate, image] if gate_first else [image, gate], "gated", module="block")
    sketch.node("Conv", ["gated", "p"], "y", module="project")
    return sketch.model("y")


@pytest.mark.parametrize("gate_first", [False, True])
def test_the_function_stays(gate_first: bool) -> None:
    model = network(gate_first=gate_first)
    feeds = images_of((4, 20, 24), 1, name="x")
    (before,) = run(model, feeds).values()
    assert widen_gates(model.graph, ()) == 1
    (after,) = run(model, feeds).values()
    assert_same(before, after)
    assert operators(model)["Tile"] == 1
    assert widen_gates(model.graph, ()) == 0


@pytest.mark.parametrize(
    ("model", "float_layers"),
    [
        (network(channels=300), ()),
        (network(size=(14, 14)), ()),
        (network(narrow=True), ()),
        (network(), ("block",)),
    ],
    ids=["many channels", "few positions", "one gate for all channels", "in float"],
)
def test_others_stay(model: ir.Model, float_layers: tuple[str, ...]) -> None:
    assert widen_gates(model.graph, float_layers) == 0
    assert operators(model)["Tile"] == 0


def test_in_an_int8_file_integers_are_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    feeds = images_of((4, 20, 24), 3, name="x")
    wide = built(network(), feeds).proto
    found = engine_operators(wide, tmp_path)
    assert (found["Tile"], found["QLinearMul"], found["Mul"], found["DequantizeLinear"]) == (1, 1, 0, 1)
    monkeypatch.setattr(wide_gates, "FEWEST_POSITIONS", 10_000)
    plain = built(network(), feeds).proto
    assert engine_operators(plain, tmp_path)["Tile"] == 0
    for optimised in (False, True):
        np.testing.assert_array_equal(
            outputs(wide, feeds, optimised=optimised), outputs(plain, feeds, optimised=optimised)
        )
