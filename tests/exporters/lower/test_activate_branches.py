"""`activate_branches`: an activation behind a Concat of convolutions, in each of them instead; bit for bit the same."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from condmix.exporters.lower.activate_branches import ActivateBranches
from tests.exporters.graphs import operators, rewrite, run
from tests.exporters.sketch import Sketch

RULE = ActivateBranches()


def joined(sketch: Sketch) -> str:
    generator = np.random.default_rng(0)
    x = sketch.input("x", (1, 4, 5, 5))
    branches = []
    for index, width in enumerate((3, 6)):
        weight = sketch.constant(f"w{index}", generator.standard_normal((width, 4, 1, 1)).astype(np.float32))
        branches.append(sketch.node("Conv", [x, weight], f"branch{index}"))
    return sketch.node("Concat", branches, "joined", module="join", axis=1)


def activated(kind: str) -> ir.Model:
    sketch = Sketch()
    value = joined(sketch)
    if kind == "silu":
        gate = sketch.node("Sigmoid", [value], "gate")
        sketch.node("Mul", [value, gate], "y", module="act")
    elif kind == "Clip":
        sketch.node("Clip", [value, sketch.constant("low", 0.0), sketch.constant("high", 6.0)], "y", module="act")
    elif kind == "LeakyRelu":
        sketch.node("LeakyRelu", [value], "y", module="act", alpha=0.3)
    else:
        sketch.node(kind, [value], "y", module="act")
    return sketch.model("y")


@pytest.mark.parametrize("kind", ["Relu", "Clip", "LeakyRelu", "HardSwish", "Sigmoid", "silu"])
def test_the_same_numbers_come_out(kind: str) -> None:
    feeds = {"x": np.random.default_rng(1).standard_normal((1, 4, 5, 5)).astype(np.float32) * 4}
    model = activated(kind)
    expected = run(model, feeds)["y"]
    (step,) = rewrite(model, RULE)
    assert (step.applied, step.path) == (True, "join")
    assert operators(model)["Sigmoid" if kind == "silu" else kind] == 2
    assert model.graph.outputs[0].producer().op_type == "Concat"  # type: ignore[union-attr]
    np.testing.assert_array_equal(run(model, feeds)["y"], expected)


def test_what_something_else_reads_is_left() -> None:
    sketch = Sketch()
    value = joined(sketch)
    sketch.node("Relu", [value], "y")
    sketch.node("GlobalAveragePool", [value], "pooled")
    model = sketch.model("y", "pooled")
    assert rewrite(model, RULE) == ()


def test_a_gate_that_something_else_reads_is_no_activation() -> None:
    sketch = Sketch()
    value = joined(sketch)
    sketch.node("Sigmoid", [value], "gate")
    sketch.node("Mul", [value, "gate"], "y")
    sketch.node("Relu", ["gate"], "z")
    model = sketch.model("y", "z")
    assert rewrite(model, RULE) == ()
