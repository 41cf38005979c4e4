"""Which images share their channels, where they may be cut, and which must stay as they are."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from condmix.exporters.lower.channel_axes import ChannelAxes, channels
from tests.exporters.graphs import produced_by
from tests.exporters.sketch import Sketch


def value(model: ir.Model, name: str) -> ir.Value:
    return next(output for output in produced_by(model, name).outputs if output.name == name)


def weight(sketch: Sketch, name: str, *shape: int) -> str:
    return sketch.constant(name, np.ones(shape, np.float32))


def test_channels_are_shared_through_depthwise_convolutions_pooling_and_products_but_not_through_dense_ones() -> None:
    sketch = Sketch()
    x = sketch.input("x", (1, 6, 4, 4))
    sketch.node("Conv", [x, weight(sketch, "w0", 8, 6, 1, 1)], "dense")
    sketch.node("Conv", ["dense", weight(sketch, "w1", 8, 1, 3, 3)], "deep", group=8, pads=[1, 1, 1, 1])
    sketch.node("GlobalAveragePool", ["deep"], "pooled")
    sketch.node("Mul", ["deep", "pooled"], "gated")
    sketch.node("Conv", ["gated", weight(sketch, "w2", 5, 8, 1, 1)], "other")
    sketch.node("Conv", ["other", weight(sketch, "w3", 4, 5, 1, 1)], "y")
    model = sketch.model("y")
    axes = ChannelAxes(model.graph)
    shared = {axes.axis(value(model, name)) for name in ("dense", "deep", "pooled", "gated")}
    assert len(shared) == 1
    assert axes.axis(value(model, "other")) not in shared
    assert axes.fixed() == {axes.axis(model.graph.inputs[0]), axes.axis(value(model, "y"))}
    assert ChannelAxes(model.graph, ends=False).fixed() == set()


def test_groups_and_joined_branches_cut_each_other() -> None:
    sketch = Sketch()
    x = sketch.input("x", (1, 3, 4, 4))
    sketch.node("Conv", [x, weight(sketch, "w0", 6, 3, 1, 1)], "left")
    sketch.node("Conv", [x, weight(sketch, "w1", 4, 3, 1, 1)], "right")
    sketch.node("Concat", ["left", "right"], "joined", axis=1)
    sketch.node("Relu", ["joined"], "active")
    sketch.node("Conv", ["active", weight(sketch, "w2", 8, 5, 1, 1)], "grouped", group=2)
    sketch.node("Split", ["grouped", sketch.constant("sizes", (3, 5))], ["one", "two"], axis=1)
    sketch.node("Conv", ["one", weight(sketch, "w3", 2, 3, 1, 1)], "y")
    sketch.node("Conv", ["two", weight(sketch, "w4", 2, 5, 1, 1)], "z")
    model = sketch.model("y", "z")
    axes = ChannelAxes(model.graph)
    assert axes.segments(value(model, "active")) == ((0, 5), (5, 6), (6, 10))
    assert axes.segments(value(model, "left")) == ((0, 5), (5, 6))
    assert axes.segments(value(model, "right")) == ((0, 4),)
    assert axes.segments(value(model, "grouped")) == ((0, 3), (3, 4), (4, 8))
    assert axes.segments(value(model, "two")) == ((0, 1), (1, 5))
    assert [node.outputs[0].name for node in axes.grouped] == ["grouped"]


def test_what_reads_more_than_channels_fixes_them() -> None:
    sketch = Sketch()
    x = sketch.input("x", (1, 4, 4, 4))
    sketch.node("Conv", [x, weight(sketch, "w0", 6, 4, 1, 1)], "read")
    sketch.node("Reshape", ["read", sketch.constant("shape", (1, 96))], "flat")
    sketch.node("Conv", [x, weight(sketch, "w1", 6, 4, 1, 1)], "scaled")
    sketch.node("Mul", ["scaled", weight(sketch, "each", 1, 6, 1, 1)], "product")
    sketch.node("Conv", ["product", weight(sketch, "w2", 2, 6, 1, 1)], "y")
    sketch.node("Conv", [x, "computed"], "mixed")
    sketch.node("Reshape", [sketch.input("kernel", (1, 24)), sketch.constant("k", (6, 4, 1, 1))], "computed")
    sketch._nodes.insert(0, sketch._nodes.pop())
    model = sketch.model("y", "flat", "mixed")
    fixed = ChannelAxes(model.graph).fixed()
    axes = ChannelAxes(model.graph)
    for name in ("read", "scaled", "product", "mixed"):
        assert axes.axis(value(model, name)).name in {one.name for one in fixed}
    assert channels(value(model, "flat")) is None
