"""The image's fourth channel: zeros that change nothing."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from condmix.exporters.graph.facts import constant
from condmix.exporters.quantize.onnx.image_channels import fill_image_channels
from tests.exporters.graphs import assert_same, node_of, operators, run
from tests.exporters.sketch import Sketch


def network(*, channels: int = 3, kernel: int = 3, readers: int = 1, mean: bool = False) -> ir.Model:
    generator = np.random.default_rng(0)
    sketch = Sketch()
    sketch.input("x", (1, channels, 8, 7))
    results = []
    for index in range(readers):
        weight = generator.standard_normal((5, channels, kernel, kernel)).astype(np.float32)
        name = sketch.constant(f"w{index}", weight)
        results.append(sketch.node("Conv", ["x", name], f"conv{index}", module="stem", strides=[2, 2]))
    last = results[0] if readers == 1 else sketch.node("Add", results, "sum")
    if mean:
        last = sketch.node("Mul", [last, sketch.node("ReduceMean", ["x"], "mean", keepdims=1)], "scaled")
    sketch.node("Relu", [last], "y")
    return sketch.model("y")


def image(channels: int = 3) -> dict[str, np.ndarray]:
    return {"x": np.random.default_rng(1).standard_normal((1, channels, 8, 7)).astype(np.float32)}


@pytest.mark.parametrize(("channels", "readers"), [(3, 1), (1, 1), (3, 2), (6, 1)])
def test_the_function_stays(channels: int, readers: int) -> None:
    model = network(channels=channels, readers=readers)
    (before,) = run(model, image(channels)).values()
    assert fill_image_channels(model.graph, ()) == -channels % 4
    (after,) = run(model, image(channels)).values()
    assert_same(before, after)
    weight = constant(node_of(model, "Conv").inputs[1])
    assert weight is not None
    assert weight.shape[1] % 4 == 0
    assert operators(model)["Pad"] == 1


@pytest.mark.parametrize(
    ("model", "float_layers"),
    [
        (network(channels=4), ()),
        (network(kernel=1), ()),
        (network(mean=True), ()),
        (network(), ("stem",)),
    ],
    ids=["even", "points", "another reader", "in float"],
)
def test_others_stay(model: ir.Model, float_layers: tuple[str, ...]) -> None:
    assert fill_image_channels(model.graph, float_layers) == 0
    assert operators(model)["Pad"] == 0
