"""Which values must have the same channels, and which may not be given more."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from condmix.exporters.quantize.onnx.channel_spaces import ChannelSpaces, is_depthwise
from tests.exporters.sketch import Sketch


def weight(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


def block(*, last: str = "Conv") -> ir.Model:
    """x -> wide -> depthwise -> pooled gate times depthwise -> narrow; or another reader in the end."""
    sketch = Sketch()
    sketch.input("x", (1, 3, 6, 6))
    sketch.node("Conv", ["x", sketch.constant("w0", weight(5, 3, 1, 1))], "wide")
    sketch.node("Conv", ["wide", sketch.constant("w1", weight(5, 1, 3, 3))], "deep", group=5, pads=[1, 1, 1, 1])
    sketch.node("GlobalAveragePool", ["deep"], "pooled")
    sketch.node("Sigmoid", ["pooled"], "gate")
    sketch.node("Mul", ["deep", "gate"], "gated")
    if last == "Conv":
        sketch.node("Conv", ["gated", sketch.constant("w2", weight(2, 5, 1, 1))], "y")
    elif last == "Softmax":
        sketch.node("Softmax", ["gated"], "y", axis=1)
    elif last == "grouped":
        sketch.node("Conv", ["gated", sketch.constant("w2", weight(10, 1, 1, 1))], "y", group=5)
    return sketch.model("y" if last != "output" else "gated")


def values(model: ir.Model) -> dict[str, ir.Value]:
    found = {value.name or "": value for value in model.graph.inputs}
    found.update({output.name or "": output for node in model.graph for output in node.outputs})
    return found


def test_what_works_channel_by_channel_shares_a_space() -> None:
    model = block()
    spaces, named = ChannelSpaces(model.graph), values(model)
    inner = {spaces.of(named[name]) for name in ("wide", "deep", "pooled", "gate", "gated")}
    assert len(inner) == 1
    (space,) = inner
    assert spaces.channels(space) == 5
    assert spaces.is_free(space)
    assert spaces.of(named["x"]) != space != spaces.of(named["y"])


def test_the_ends_of_the_graph_are_fixed() -> None:
    model = block()
    spaces, named = ChannelSpaces(model.graph), values(model)
    assert not spaces.is_free(spaces.of(named["x"]))
    assert not spaces.is_free(spaces.of(named["y"]))


@pytest.mark.parametrize("last", ["Softmax", "output"])
def test_a_reader_that_sees_all_channels_fixes_them(last: str) -> None:
    model = block(last=last)
    spaces, named = ChannelSpaces(model.graph), values(model)
    assert not spaces.is_free(spaces.of(named["deep"]))


def test_a_grouped_convolution_can_be_laid_out_anew() -> None:
    model = block(last="grouped")
    spaces, named = ChannelSpaces(model.graph), values(model)
    assert spaces.is_free(spaces.of(named["deep"]))


def joined(*, twice: bool) -> ir.Model:
    """Two convolutions side by side; a result that is read as it is fixes both."""
    sketch = Sketch()
    sketch.input("x", (1, 2, 4, 4))
    for name in ("a", "b"):
        sketch.node("Conv", ["x", sketch.constant(f"w_{name}", weight(3, 2, 1, 1))], name)
    sketch.node("Concat", ["a", "b"], "both", axis=1)
    last = "both"
    if twice:
        sketch.node("Concat", ["b", "a"], "other", axis=1)
        last = sketch.node("Add", ["both", "other"], "sum")
    sketch.node("Conv", [last, sketch.constant("w", weight(2, 6, 1, 1))], "y")
    return sketch.model("y")


def test_joined_spaces_are_of_their_own() -> None:
    model = joined(twice=False)
    spaces, named = ChannelSpaces(model.graph), values(model)
    space = spaces.of(named["both"])
    assert [node.outputs[0].name for node in spaces.concats_into(space)] == ["both"]
    assert spaces.is_free(space)
    assert spaces.is_free(spaces.of(named["a"]))


def test_two_orders_of_one_space_fix_all_of_it() -> None:
    model = joined(twice=True)
    spaces, named = ChannelSpaces(model.graph), values(model)
    assert not any(spaces.is_free(spaces.of(named[name])) for name in ("a", "b", "both", "sum"))


def test_a_single_channel_that_is_spread_over_all_is_no_member() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 2, 4, 4))
    sketch.node("Conv", ["x", sketch.constant("w0", weight(5, 2, 1, 1))], "many")
    sketch.node("Conv", ["x", sketch.constant("w1", weight(1, 2, 1, 1))], "one")
    sketch.node("Mul", ["many", "one"], "spread")
    sketch.node("Conv", ["spread", sketch.constant("w2", weight(2, 5, 1, 1))], "y")
    model = sketch.model("y")
    spaces, named = ChannelSpaces(model.graph), values(model)
    assert not any(spaces.is_free(spaces.of(named[name])) for name in ("many", "one", "spread"))


def test_depthwise_is_a_kernel_a_channel() -> None:
    nodes = {node.outputs[0].name: node for node in block(last="grouped").graph}
    assert is_depthwise(nodes["deep"])
    assert not is_depthwise(nodes["wide"])
    assert not is_depthwise(nodes["gate"])
    # Two results for every channel: its kernel is no depthwise one for the runtime.
    assert not is_depthwise(nodes["y"])
