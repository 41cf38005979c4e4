"""`whole_blocks`: channels up to whole blocks of 16, and the same results."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from condmix.exporters.graph.facts import attribute_int, constant
from condmix.exporters.lower.whole_blocks import fill_blocks
from tests.exporters.graphs import assert_different, assert_same, produced_by, run
from tests.exporters.sketch import Sketch

SIZE = 6


def random(generator: np.random.Generator, *shape: int) -> np.ndarray:
    return (generator.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)


def network(widths: tuple[int, ...], *, trunk: int, squeezed: int, seed: int) -> ir.Model:
    """Branches of those widths with a squeeze-excite behind, grouped convolutions around, and a residual sum."""
    generator = np.random.default_rng(seed)
    sketch = Sketch()
    sketch.input("x", (2, 3, SIZE, SIZE))

    def conv(source: str, output: str, *shape: int, group: int = 1, pad: int = 0) -> str:
        inputs = [source, sketch.constant(f"{output}.w", random(generator, *shape))]
        inputs.append(sketch.constant(f"{output}.b", random(generator, shape[0])))
        return sketch.node("Conv", inputs, output, module=output, group=group, pads=[pad] * 4)

    conv("x", "stem", trunk, 3, 3, 3, pad=1)
    half = sketch.constant("half", (trunk // 2, trunk // 2))
    sketch.node("Split", ["stem", half], ["low", "high"], axis=1)
    branches = []
    for index, width in enumerate(widths):
        source = ("low", "high")[index * 2 // len(widths)]
        conv(source, f"expand{index}", width, trunk // 2, 1, 1)
        sketch.node("Relu", [f"expand{index}"], f"active{index}")
        kernel = 2 * index + 1
        branches.append(conv(f"active{index}", f"branch{index}", width, 1, kernel, kernel, group=width, pad=index))
    channels = sum(widths)
    sketch.node("Concat", branches, "joined", axis=1)
    sketch.node("GlobalAveragePool", ["joined"], "pooled")
    conv("pooled", "squeezed", squeezed, channels, 1, 1)
    conv("squeezed", "excited", channels, squeezed, 1, 1)
    sketch.node("Sigmoid", ["excited"], "gate")
    sketch.node("Mul", ["joined", "gate"], "gated")
    conv("gated", "project", trunk, channels // 2, 1, 1, group=2)
    sketch.node("Add", ["project", "stem"], "sum")
    conv("sum", "y", 5, trunk, 1, 1)
    return sketch.model("y")


def outputs(model: ir.Model, seed: int) -> np.ndarray:
    images = np.random.default_rng(seed).standard_normal((2, 3, SIZE, SIZE)).astype(np.float32)
    return run(model, {"x": images})["y"]


@settings(max_examples=12, deadline=None)
@given(
    widths=st.sampled_from([(15, 14, 13, 16), (28, 28), (20, 20), (32, 32), (13, 16, 29), (12, 20, 32)]),
    trunk=st.sampled_from([26, 28, 32, 24]),
    squeezed=st.sampled_from([7, 14, 16]),
    seed=st.integers(0, 2**31),
)
def test_the_function_stays(widths: tuple[int, ...], trunk: int, squeezed: int, seed: int) -> None:
    model = network(widths, trunk=trunk, squeezed=squeezed, seed=seed)
    expected = outputs(model, seed)
    fill_blocks(model)
    assert_same(expected, outputs(model, seed))


def test_every_branch_and_group_has_whole_blocks() -> None:
    model = network((28, 28), trunk=28, squeezed=14, seed=0)
    steps = fill_blocks(model)
    project = produced_by(model, "project/whole")
    assert [list(value.shape or ())[1] for value in (*project.inputs[:1], *project.outputs) if value] == [64, 32]
    weight = constant(project.inputs[1])
    assert weight is not None
    assert weight.shape == (32, 32, 1, 1)
    assert np.count_nonzero(weight) == 28 * 28
    assert attribute_int(produced_by(model, "branch0/whole"), "group", 1) == 32
    assert "squeezed" in {step.path for step in steps}
    assert list(model.graph.outputs[0].shape or ())[1] == 5
    assert "sum" not in {value.name for node in model.graph for value in node.outputs}


def test_channels_that_gain_nothing_or_cost_too_much_are_left() -> None:
    aligned = network((32, 32), trunk=32, squeezed=16, seed=0)
    assert fill_blocks(aligned) == ()
    narrow = network((6, 6), trunk=12, squeezed=6, seed=0)
    assert fill_blocks(narrow) == ()
    # Groups of 22 channels, cut at 13 and 29: 16 + 16 and 16 + 16, while 13 + 16 + 15 would be uneven.
    uneven = network((1, 16, 27), trunk=32, squeezed=16, seed=0)
    assert "project" not in {step.path for step in fill_blocks(uneven)}


def test_inputs_and_outputs_grow_only_where_they_may() -> None:
    generator = np.random.default_rng(0)
    sketch = Sketch()
    sketch.input("x", (1, 28, SIZE, SIZE))
    sketch.node("Conv", ["x", sketch.constant("w", random(generator, 28, 14, 1, 1))], "y", group=2)
    model = sketch.model("y")
    assert fill_blocks(model) == ()
    fill_blocks(model, ends=False)
    assert [list(value.shape or ())[1] for value in (*model.graph.inputs, *model.graph.outputs)] == [32, 32]
    assert (model.graph.inputs[0].name, model.graph.outputs[0].name) == ("x", "y")


@pytest.mark.parametrize("where", ["weight", "bias"])
def test_a_number_in_an_added_channel_would_be_seen(where: str) -> None:
    model = network((28, 28), trunk=28, squeezed=14, seed=0)
    expected = outputs(model, 1)
    fill_blocks(model)
    name = "branch0/whole" if where == "bias" else "y"
    node = produced_by(model, name)
    array = constant(node.inputs[2 if where == "bias" else 1])
    assert array is not None
    spoiled = array.copy()
    if where == "bias":
        spoiled[28:] = 3.0
        reader = produced_by(model, "squeezed/whole")
        read = constant(reader.inputs[1])
        assert read is not None
        reading = read.copy()
        reading[:, 28:32] = 1.0
        reader.inputs[1].const_value = ir.tensor(reading)  # type: ignore[union-attr]
    else:
        spoiled[:, 28:] = 1.0
        bias = produced_by(model, "project/whole").inputs[2]
        assert bias is not None
        values = constant(bias)
        assert values is not None
        bias.const_value = ir.tensor(np.where(values == 0, np.float32(2), values))
        spoiled[:, 14:16] = 1.0
    node.inputs[2 if where == "bias" else 1].const_value = ir.tensor(spoiled)  # type: ignore[union-attr]
    assert_different(expected, outputs(model, 1))
