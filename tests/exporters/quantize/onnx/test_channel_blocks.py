"""Zero channels change nothing, wherever they stand."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.graph.facts import attribute_int, constant
from condmix.exporters.quantize.onnx.channel_blocks import fill_channel_blocks
from tests.exporters.conv_cases import exact_rule, seeds
from tests.exporters.graphs import assert_same, run
from tests.exporters.sketch import Sketch


def network(branches: tuple[int, ...], *, group: int, squeeze: bool, seed: int = 0) -> ir.Model:
    """Expansions and depthwise branches side by side, joined, gated by their means, narrowed in groups."""
    generator = np.random.default_rng(seed)

    def weight(name: str, *shape: int) -> str:
        return sketch.constant(name, generator.standard_normal(shape).astype(np.float32))

    sketch = Sketch()
    sketch.input("x", (1, 4, 6, 5))
    parts: list[str] = []
    for index, channels in enumerate(branches):
        inputs = ["x", weight(f"w{index}", channels, 4, 1, 1), weight(f"b{index}", channels)]
        wide = sketch.node("Conv", inputs, f"wide{index}", module=f"branch{index}.wide")
        active = sketch.node("Sigmoid", [wide], f"active{index}")
        inputs = [active, weight(f"d{index}", channels, 1, 3, 3), weight(f"e{index}", channels)]
        attributes: dict[str, object] = {"group": channels, "pads": [1, 1, 1, 1]}
        parts.append(sketch.node("Conv", inputs, f"deep{index}", module=f"branch{index}.deep", **attributes))
    last = sketch.node("Concat", parts, "joined", axis=1) if len(parts) > 1 else parts[0]
    total = sum(branches)
    if squeeze:
        mean = sketch.node("GlobalAveragePool", [last], "mean")
        small = sketch.node("Conv", [mean, weight("s", 3, total, 1, 1)], "small")
        gate = sketch.node("Conv", [small, weight("t", total, 3, 1, 1)], "large")
        last = sketch.node("Mul", [last, sketch.node("Sigmoid", [gate], "gate")], "gated")
    sketch.node("Conv", [last, weight("n", 2 * group, total // group, 1, 1)], "y", group=group)
    return sketch.model("y")


IMAGE = {"x": np.random.default_rng(9).standard_normal((1, 4, 6, 5)).astype(np.float32)}


@exact_rule
@given(
    branches=st.lists(st.integers(1, 5).map(lambda half: 2 * half * 3), min_size=1, max_size=3).map(tuple),
    group=st.sampled_from([1, 2]),
    squeeze=st.booleans(),
    seed=seeds,
)
def test_zero_channels_change_nothing(branches: tuple[int, ...], group: int, squeeze: bool, seed: int) -> None:
    model = network(branches, group=group, squeeze=squeeze, seed=seed)
    (before,) = run(model, IMAGE).values()
    added = fill_channel_blocks(model.graph, ())
    assert added == sum(-channels % 16 for channels in branches)
    (after,) = run(model, IMAGE).values()
    assert_same(before, after)
    for node in model.graph:
        name = node.outputs[0].name or ""
        if name.startswith("deep"):
            weight = constant(node.inputs[1])
            assert weight is not None
            assert len(weight) % 16 == 0
            assert attribute_int(node, "group", 1) == len(weight)


def last_conv(model: ir.Model) -> ir.Node:
    return next(node for node in model.graph if node.outputs[0].name == "y")


def test_groups_stay_where_the_zeros_fall_evenly() -> None:
    model = network((90, 90), group=2, squeeze=True)
    fill_channel_blocks(model.graph, ())
    weight = constant(last_conv(model).inputs[1])
    assert weight is not None
    assert (attribute_int(last_conv(model), "group", 1), weight.shape[1]) == (2, 96)


def test_groups_go_where_they_do_not() -> None:
    model = network((60, 120), group=2, squeeze=False)
    fill_channel_blocks(model.graph, ())
    weight = constant(last_conv(model).inputs[1])
    assert weight is not None
    assert (attribute_int(last_conv(model), "group", 1), weight.shape[1]) == (1, 64 + 128)


def test_even_channels_need_nothing() -> None:
    model = network((32, 16), group=2, squeeze=True)
    assert fill_channel_blocks(model.graph, ()) == 0


@pytest.mark.parametrize(("kept", "added"), [((), 20), (("branch0.deep",), 10), (("branch0.deep", "branch1.deep"), 0)])
def test_layers_in_float_want_nothing(kept: tuple[str, ...], added: int) -> None:
    assert fill_channel_blocks(network((6, 6), group=1, squeeze=False).graph, kept) == added


def test_shapes_are_those_of_the_new_values() -> None:
    model = network((6, 6), group=1, squeeze=True)
    fill_channel_blocks(model.graph, ())
    shapes = {output.name: [*output.shape] for node in model.graph for output in node.outputs if output.shape}
    assert shapes["deep0"][1] == shapes["wide1"][1] == 16
    assert shapes["joined"][1] == shapes["gate"][1] == shapes["gated"][1] == 32
    assert shapes["y"][1] == 2
