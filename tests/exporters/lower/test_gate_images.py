"""`gate_images`: a gate as an image of one shape with what it multiplies; bit for bit the same, at any batch."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from condmix.exporters.finish import finish
from condmix.exporters.lower.gate_images import GateImages
from tests.exporters.graphs import operators, rewrite, run, with_batch
from tests.exporters.sketch import Sketch

RULE = GateImages()


def gated(*, width: int = 32, gate_first: bool = False, read_by: str = "Conv") -> ir.Model:
    generator = np.random.default_rng(0)
    sketch = Sketch()
    x = sketch.input("x", (1, width, 5, 7))
    sketch.node("GlobalAveragePool", [x], "pooled")
    sketch.node("Sigmoid", ["pooled"], "gate")
    sketch.node("Mul", ["gate", x] if gate_first else [x, "gate"], "gated", module="se")
    if read_by == "Conv":
        weight = sketch.constant("w", generator.standard_normal((4, width, 1, 1)).astype(np.float32))
        sketch.node("Conv", ["gated", weight], "y")
    else:
        sketch.node(read_by, ["gated"], "y")
    return sketch.model("y")


@pytest.mark.parametrize("gate_first", [False, True])
@pytest.mark.parametrize("batch", [1, 3, None])
def test_the_same_numbers_come_out(gate_first: bool, batch: int | None) -> None:
    model = gated(gate_first=gate_first)
    with_batch(model, batch)
    feeds = {"x": np.random.default_rng(1).standard_normal((batch or 2, 32, 5, 7)).astype(np.float32)}
    expected = run(model, feeds)["y"]
    (step,) = rewrite(model, RULE)
    assert (step.applied, step.path) == (True, "se")
    assert operators(model)["Resize"] == 1
    np.testing.assert_array_equal(run(model, feeds)["y"], expected)


@pytest.mark.parametrize("opset", [17, 22])
def test_it_is_written_for_other_operator_sets(opset: int) -> None:
    feeds = {"x": np.random.default_rng(1).standard_normal((1, 32, 5, 7)).astype(np.float32)}
    model = gated()
    expected = run(model, feeds)["y"]
    rewrite(model, RULE)
    np.testing.assert_array_equal(run(finish(model, opset, {}), feeds)["y"], expected)


@pytest.mark.parametrize("model", [gated(width=24), gated(read_by="Relu")], ids=["ragged", "no convolution"])
def test_products_that_gain_nothing_are_left(model: ir.Model) -> None:
    assert rewrite(model, RULE) == ()
