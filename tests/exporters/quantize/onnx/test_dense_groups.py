"""Few channels a group: one group with zeros, the same function."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from condmix.exporters.graph.facts import attribute_int, constant
from condmix.exporters.quantize.onnx.dense_groups import FEW_CHANNELS, replace_constant, ungroup_small_groups
from tests.exporters.graphs import assert_same, node_of, run
from tests.exporters.sketch import Sketch


def grouped(per_group: int, *, group: int = 2, kernel: int = 1) -> ir.Model:
    generator = np.random.default_rng(0)
    sketch = Sketch()
    sketch.input("x", (1, per_group * group, 5, 4))
    weight = generator.standard_normal((3 * group, per_group, kernel, kernel)).astype(np.float32)
    inputs = ["x", sketch.constant("w", weight), sketch.constant("b", np.ones(3 * group, np.float32))]
    sketch.node("Conv", inputs, "y", module="point", group=group)
    return sketch.model("y")


def image(model: ir.Model) -> dict[str, np.ndarray]:
    shape = [int(size) for size in model.graph.inputs[0].shape or ()]  # type: ignore[arg-type]
    return {"x": np.random.default_rng(1).standard_normal(shape).astype(np.float32)}


@pytest.mark.parametrize("group", [2, 3])
def test_small_groups_become_one(group: int) -> None:
    model = grouped(4, group=group)
    (before,) = run(model, image(model)).values()
    assert ungroup_small_groups(model.graph, ()) == ("y",)
    assert attribute_int(node_of(model, "Conv"), "group", 1) == 1
    assert "w" not in model.graph.initializers
    (after,) = run(model, image(model)).values()
    assert_same(before, after)


@pytest.mark.parametrize(
    ("model", "float_layers"),
    [
        (grouped(FEW_CHANNELS + 1), ()),
        (grouped(4, kernel=3), ()),
        (grouped(1, group=3), ()),
        (grouped(4, group=1), ()),
        (grouped(4), ("point",)),
    ],
    ids=["many channels", "larger kernel", "depthwise", "one group", "in float"],
)
def test_others_stay(model: ir.Model, float_layers: tuple[str, ...]) -> None:
    assert ungroup_small_groups(model.graph, float_layers) == ()


def test_a_constant_that_others_read_is_kept() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 2, 3, 3))
    sketch.constant("w", np.ones((2, 2, 1, 1), np.float32))
    sketch.node("Conv", ["x", "w"], "first")
    sketch.node("Conv", ["first", "w"], "y")
    model = sketch.model("y")
    replace_constant(model.graph, node_of(model, "Conv"), 1, np.zeros((2, 2, 1, 1), np.float32))
    assert set(model.graph.initializers) == {"w", "first/input_1"}
    replace_constant(model.graph, node_of(model, "Conv"), 1, np.ones((2, 2, 1, 1), np.float32))
    held = [constant(node.inputs[1]) for node in model.graph]
    assert all(array is not None and array.all() for array in held)
