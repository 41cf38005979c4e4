"""The int8 graph in QDQ form: what stands between what."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest

from condmix.exporters.quantize.onnx.records import Int8Build
from tests.exporters.graphs import run
from tests.exporters.quantize.onnx.rounding import built, engine_operators, images_of, names_in, outputs, quality_db
from tests.exporters.sketch import Sketch

GENERATOR = np.random.default_rng(0)


def weight(*shape: int) -> np.ndarray:
    return (GENERATOR.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)


def conv(sketch: Sketch, x: str, output: str, shape: tuple[int, ...], **attributes: object) -> str:
    inputs = [
        x,
        sketch.constant(f"{output}.w", weight(*shape)),
        sketch.constant(f"{output}.b", weight(shape[0], 1)[:, 0]),
    ]
    return sketch.node("Conv", inputs, output, module=output, **attributes)


def chain(*steps: str, size: tuple[int, int] = (8, 8)) -> tuple[Sketch, str]:
    """x, a convolution, then these operators one after another."""
    sketch = Sketch()
    sketch.input("x", (1, 16, *size))
    last = conv(sketch, "x", "first", (16, 16, 1, 1))
    for index, step in enumerate(steps):
        name = f"v{index}"
        if step == "Conv":
            last = conv(sketch, last, name, (16, 16, 3, 3), pads=[1, 1, 1, 1])
        elif step == "Clip6":
            limits = [sketch.constant(f"{name}.low", 0.0), sketch.constant(f"{name}.high", 6.0)]
            last = sketch.node("Clip", [last, *limits], name)
        elif step == "MulConstant":
            last = sketch.node("Mul", [last, sketch.constant(f"{name}.factor", weight(1, 16, 1, 1))], name)
        elif step == "AddSelf":
            last = sketch.node("Add", [last, "first"], name)
        elif step == "Pad":
            last = sketch.node("Pad", [last, sketch.constant(f"{name}.pads", [0, 0, 1, 2, 0, 0, 1, 0])], name)
        elif step == "AveragePool":
            last = sketch.node("AveragePool", [last], name, kernel_shape=[2, 2], strides=[2, 2])
        elif step == "MaxPool":
            last = sketch.node("MaxPool", [last], name, kernel_shape=[3, 3], strides=[2, 2])
        elif step == "Slice":
            ends = [sketch.constant(f"{name}.{role}", [number]) for role, number in (("s", 2), ("e", 14), ("a", 1))]
            last = sketch.node("Slice", [last, *ends], name)
        else:
            last = sketch.node(step, [last], name)
    return sketch, last


def file_of(*steps: str, **choices: object) -> tuple[Int8Build, dict[str, np.ndarray], np.ndarray]:
    """The int8 file of a chain, its images and what the float graph gives for them."""
    sketch, last = chain(*steps)
    model, images = sketch.model(last), images_of((16, 8, 8), name="x")
    wanted = np.concatenate([next(iter(run(model, {"x": image[None]}).values())) for image in images["x"]])
    return built(model, images, **choices), images, wanted


INTEGER_FORMS = {
    ("Sigmoid", "Conv"): "QLinearSigmoid",
    ("LeakyRelu", "Conv"): "QLinearLeakyRelu",
    ("MulConstant", "Conv"): "QLinearMul",
    ("AddSelf", "Conv"): "QLinearAdd",
    ("GlobalAveragePool", "Conv"): "QLinearGlobalAveragePool",
    ("AveragePool", "Conv"): "QLinearAveragePool",
    ("MaxPool", "Conv"): "NhwcMaxPool",
    ("Pad", "Conv"): "Pad",
    ("Relu", "Conv"): "QLinearConv",
    ("Clip6", "Conv"): "QLinearConv",
    ("AddSelf", "Relu", "Conv"): "QLinearAdd",
}


@pytest.mark.parametrize("steps", INTEGER_FORMS, ids="-".join)
@pytest.mark.parametrize("style", ["qdq", "qoperator"])
def test_operators_become_integers(steps: tuple[str, ...], style: str, tmp_path: Path) -> None:
    made, images, wanted = file_of(*steps, style=style)
    meaning = outputs(made.proto, images, optimised=False)
    assert quality_db(wanted, meaning) > 28
    assert quality_db(meaning, outputs(made.proto, images)) > 45
    found = engine_operators(made.proto, tmp_path)
    assert found[INTEGER_FORMS[steps]] >= 1
    assert found["QLinearConv"] == 2
    assert (found["QuantizeLinear"], found["DequantizeLinear"]) == (1, 1)


@pytest.mark.parametrize("island", ["HardSwish", "Tanh", "Softplus"])
def test_other_operators_are_float_islands(island: str, tmp_path: Path) -> None:
    made, images, wanted = file_of(island, "Conv")
    assert quality_db(wanted, outputs(made.proto, images)) > 28
    found = engine_operators(made.proto, tmp_path)
    assert found["QLinearConv"] == 2
    assert (found["QuantizeLinear"], found["DequantizeLinear"]) == (2, 2)


def test_relu_costs_nothing(tmp_path: Path) -> None:
    """Rounding to numbers from zero on is a ReLU; the file has none."""
    made, images, wanted = file_of("Relu", "Conv")
    assert names_in(made.proto, ["Relu"]) == []
    assert quality_db(wanted, outputs(made.proto, images)) > 28
    assert engine_operators(made.proto, tmp_path) == Counter(
        {"QLinearConv": 2, "Transpose": 2, "QuantizeLinear": 1, "DequantizeLinear": 1}
    )


def test_a_relu_with_a_second_reader_in_front_is_kept() -> None:
    sketch, _ = chain("Relu")
    sketch.node("Add", ["first", "v0"], "sum")
    model, images = sketch.model("sum"), images_of((16, 8, 8), name="x")
    made = built(model, images)
    assert names_in(made.proto, ["Relu"]) == ["v0/exact"]
    wanted = np.concatenate([next(iter(run(model, {"x": image[None]}).values())) for image in images["x"]])
    assert quality_db(wanted, outputs(made.proto, images)) > 28


def test_moves_are_made_on_integers() -> None:
    made, images, wanted = file_of("Slice", "Transpose", "Sigmoid")
    types = {node.op_type: node.input[0] for node in made.proto.graph.node}
    assert types["Slice"] == "first/q"
    assert types["Transpose"] == "v0/q"
    assert quality_db(wanted, outputs(made.proto, images)) > 28


def test_padding_is_zero_on_any_grid() -> None:
    made, images, wanted = file_of("Pad", "Sigmoid")
    (pad,) = (node for node in made.proto.graph.node if node.op_type == "Pad")
    stored = {item.name: onnx.numpy_helper.to_array(item) for item in made.proto.graph.initializer}
    (rounding,) = (node for node in made.proto.graph.node if node.output[0] == pad.input[0])
    assert stored[pad.input[2]] == stored[rounding.input[2]] != 0
    assert quality_db(wanted, outputs(made.proto, images)) > 28


def test_constants_of_equal_numbers_are_stored_once() -> None:
    made, _, _ = file_of("Conv", "Conv", "Conv")
    stored = [onnx.numpy_helper.to_array(item) for item in made.proto.graph.initializer]
    small = [(array.dtype.str, array.shape, array.tobytes()) for array in stored if array.dtype != np.float32]
    assert len(small) == len(set(small))


def test_two_results(tmp_path: Path) -> None:
    sketch, last = chain("Sigmoid")
    sketch.node("GlobalAveragePool", [last], "mean")
    model, images = sketch.model("first", "mean"), images_of((16, 8, 8), name="x")
    made = built(model, images)
    assert [output.name for output in made.proto.graph.output] == ["first", "mean"]
    assert engine_operators(made.proto, tmp_path)["QLinearGlobalAveragePool"] == 1


def test_an_unused_value_is_not_written() -> None:
    """Values that only integers read have no real form in the file, unless asked for."""
    made, _, _ = file_of("Relu", "MaxPool", "Conv")
    produced = {name for node in made.proto.graph.node for name in node.output}
    assert "v1" in produced
    assert not {"first", "v0"} & produced


@pytest.mark.parametrize("batch", [3, None])
def test_networks_of_static_kernels_take_any_batch(batch: int | None) -> None:
    sketch, last = chain("Sigmoid", "Conv", "GlobalAveragePool")
    model, images = sketch.model(last), images_of((16, 8, 8), count=3, name="x")
    proto = built(model, images, batch=batch).proto
    one = outputs(built(model, images).proto, images)
    session_result = run(proto, images)
    np.testing.assert_array_equal(next(iter(session_result.values())), one)
