"""Weights as float16: which are halved, and that the file computes with just these numbers."""

from __future__ import annotations

import numpy as np
import pytest

from condmix.exporters.tflite.half import SMALLEST_WEIGHT, store_half
from condmix.exporters.tflite.lower_graph import lower_graph
from condmix.exporters.tflite.model import TfliteModel
from condmix.exporters.tflite.schema import TensorType
from condmix.exporters.tflite.write import write_model
from condmix.runtime.delegate_coverage import coverage
from tests.exporters.condconv_cases import condconv_case
from tests.exporters.graphs import FLOAT32_LIMIT, rounding_error, run
from tests.exporters.mixconv_cases import mixconv_case
from tests.exporters.sketch import Sketch
from tests.exporters.tflite.running import assert_file_gives, counted, open_file


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def network(weight: np.ndarray, dense: np.ndarray) -> Sketch:
    """Convolution, global pool, dense layer."""
    sketch = Sketch()
    sketch.input("x", (1, 3, 6, 6))
    names = ["x", sketch.constant("w", weight), sketch.constant("b", numbers(20, seed=1))]
    sketch.node("Conv", names, "c", module="conv", pads=[1, 1, 1, 1])
    sketch.node("GlobalAveragePool", ["c"], "p")
    sketch.node("Reshape", ["p", sketch.constant("row", [1, 20])], "r")
    sketch.node("Gemm", ["r", sketch.constant("d", dense), sketch.constant("e", numbers(5))], "y", module="dense")
    return sketch


def halved(sketch: Sketch, output: str = "y") -> TfliteModel:
    return store_half(lower_graph(sketch.model(output), description="").model)


def types(model: TfliteModel) -> dict[str, TensorType]:
    return {tensor.name: tensor.type for tensor in model.tensors() if tensor.data is not None}


def test_the_file_computes_with_the_rounded_weights_and_nothing_else_is_rounded() -> None:
    weight, dense = numbers(20, 3, 3, 3), numbers(20, 5, seed=2)
    rounded = [array.astype(np.float16).astype(np.float32) for array in (weight, dense)]
    feeds = {"x": numbers(1, 3, 6, 6, seed=3)}
    content = write_model(halved(network(weight, dense)))
    expected = run(network(*rounded).model("y"), feeds)
    assert_file_gives(content, feeds, expected)
    assert rounding_error(run(network(weight, dense).model("y"), feeds)["y"], expected["y"]) > 10 * FLOAT32_LIMIT
    assert counted(content)["DEQUANTIZE"] == 2
    assert coverage(open_file(content)).complete


def test_kernels_are_halved_and_biases_shapes_and_scalars_are_not() -> None:
    found = types(halved(network(numbers(20, 3, 3, 3), numbers(20, 5))))
    assert found["conv/conv_weight_float16"] is TensorType.FLOAT16
    assert found["dense/weight_float16"] is TensorType.FLOAT16
    assert found["conv/conv_bias"] is TensorType.FLOAT32
    assert [kind for kind in found.values() if kind is TensorType.FLOAT16] == [TensorType.FLOAT16] * 2
    assert "conv/conv_weight" not in found


def test_the_smallest_weight() -> None:
    for inner, kind in ((SMALLEST_WEIGHT - 1, TensorType.FLOAT32), (SMALLEST_WEIGHT, TensorType.FLOAT16)):
        sketch = Sketch()
        sketch.node("MatMul", [sketch.input("x", (1, inner)), sketch.constant("w", numbers(inner, 1))], "y")
        assert [*types(halved(sketch)).values()] == [kind]


@pytest.mark.parametrize("largest", [65504.0, 65600.0])
def test_numbers_beyond_the_range_stay_as_they_are(largest: float) -> None:
    weight = numbers(20, 3, 3, 3)
    weight[0, 0, 0, 0] = largest
    found = types(halved(network(weight, numbers(20, 5))))
    assert ("conv/conv_weight" in found) == (largest > 65504.0)
    assert np.isfinite(np.float16(65504.0))


def test_constructs_too() -> None:
    cond, mix = condconv_case(images=1, kernel=(1, 1), in_channels=5), mixconv_case(images=1)
    for sketch, feeds, expected in (
        (cond.sketch(), cond.feeds, cond.expected()),
        (mix.sketch(), {"x": mix.images_nchw}, mix.expected()),
    ):
        model = halved(sketch)
        actual = open_file(write_model(model)).run(
            {name: array.transpose(0, 2, 3, 1) if array.ndim == 4 else array for name, array in feeds.items()}
        )["y"]
        error = rounding_error(expected, actual)
        assert 10 * FLOAT32_LIMIT < error < 2e-3
        assert coverage(open_file(write_model(model))).complete
