"""Parts are found by structure: what mixes, what is a kernel, what decides the routing, what only moves."""

from __future__ import annotations

import numpy as np
import pytest

from condmix.exporters.build import prepare
from condmix.exporters.capture import Captured, capture
from condmix.exporters.named.condconv import ConvSettings
from condmix.exporters.options import ExportOptions
from condmix.exporters.quantize.tflite.observation import float_twin
from condmix.exporters.quantize.tflite.roles import (
    data_inputs,
    find_roles,
    has_stored_filter,
    is_subsampling,
    largest_input,
    moves_only,
    multiply_adds,
)
from condmix.exporters.tflite.convolution import depthwise_2d
from condmix.exporters.tflite.emitter import Emitter
from condmix.exporters.tflite.lower_graph import lower_graph
from condmix.exporters.tflite.model import Operation, Tensor, TfliteModel
from condmix.exporters.tflite.schema import Operator, OptionsUnion, Padding, TensorType
from tests.exporters.conv_cases import conv_case
from tests.exporters.networks import INPUT_SIZE, BothConstructs, settled
from tests.exporters.sketch import Sketch


@pytest.fixture(scope="module")
def both() -> TfliteModel:
    captured: Captured = capture(settled(BothConstructs()), INPUT_SIZE)
    prepared = prepare(captured, ExportOptions(stage="rewritten"), {}, lambda _stage: None)
    return float_twin(prepared, batch=1, layout="nhwc", metadata={}).model


def operations(model: TfliteModel, found: frozenset[int]) -> list[tuple[str, str]]:
    return [(item.operator.name, item.path) for item in model.operations if id(item) in found]


def test_two_products_mix_and_one_of_them_for_a_matmul(both: TfliteModel) -> None:
    roles = find_roles(both)
    assert operations(both, roles.mixing) == [("FULLY_CONNECTED", "cond"), ("FULLY_CONNECTED", "depthwise")]
    assert operations(both, roles.for_matmul) == [("FULLY_CONNECTED", "cond")]


def test_the_routing_is_what_lies_between_the_mean_and_the_mixing(both: TfliteModel) -> None:
    found = operations(both, find_roles(both).routing)
    assert [name for name, path in found if path.startswith("routing")] == ["RESHAPE", "FULLY_CONNECTED", "LOGISTIC"]
    # The product that mixes the experts' biases belongs to it.
    assert [item for item in found if not item[1].startswith("routing")] == [("FULLY_CONNECTED", "depthwise")]


def test_kernels_are_followed_from_the_mixing_to_where_they_are_applied(both: TfliteModel) -> None:
    kernels = find_roles(both).kernels
    applied = [item.inputs[1] for item in both.operations if item.operator is Operator.BATCH_MATMUL]
    assert len(applied) == 3
    assert all(id(item) in kernels for item in applied)
    names = {tensor.name for tensor in both.tensors() if id(tensor) in kernels}
    assert "cond/mix_kernels" in names
    assert not any(name.startswith(("expand", "classifier", "stem")) for name in names)


def test_a_product_of_two_computed_matrices_has_no_mixed_kernel() -> None:
    sketch = Sketch()
    sketch.input("a", (1, 3, 4))
    sketch.input("b", (1, 4, 2))
    sketch.node("MatMul", ["a", "b"], "y")
    model = lower_graph(sketch.model("y"), description="").model
    assert find_roles(model).kernels == frozenset()


def image(*shape: int) -> Tensor:
    return Tensor(name="x", shape=shape, type=TensorType.FLOAT32)


def test_inputs_that_hold_numbers_of_the_network() -> None:
    emitter = Emitter()
    x = image(1, 4, 4, 2)
    emitter.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    emitter.binary(Operator.MUL, x, emitter.constant(np.full(1, 2.0, dtype=np.float32), "two"), "double")
    pad, double = emitter.operations
    assert data_inputs(pad) == (x,)
    assert [item.name for item in data_inputs(double)] == ["x", "/two"]
    assert largest_input(double) is x


@pytest.mark.parametrize(("value", "bias", "expected"), [(1.0, 0.0, True), (2.0, 0.0, False), (1.0, 1.0, False)])
def test_a_kernel_of_one_number_one_only_leaves_positions_out(value: float, bias: float, expected: bool) -> None:
    emitter = Emitter()
    settings = ConvSettings(kernel=(1, 1), strides=(2, 2), pads=(0, 0, 0, 0), dilations=(1, 1), group=2)
    weight = emitter.constant(np.full((1, 1, 1, 2), value, dtype=np.float32), "w")
    stored = emitter.constant(np.full(2, bias, dtype=np.float32), "b")
    depthwise_2d(emitter, image(1, 5, 5, 2), weight, stored, settings, Padding.VALID, "y")
    (operation,) = emitter.operations
    assert has_stored_filter(operation)
    assert is_subsampling(operation) is expected
    assert moves_only(operation) is expected


def test_multiply_adds_are_those_of_the_convolution() -> None:
    case = conv_case(in_channels=4, out_channels=6, kernel=(3, 3), group=2, input_size=(7, 5))
    sketch = Sketch()
    sketch.input("x", (1, 4, 7, 5))
    weight = sketch.constant("w", np.ones((6, 2, 3, 3), dtype=np.float32))
    sketch.node("Conv", ["x", weight], "y", **dict(case.settings.attributes()))
    counts: dict[Operator, int] = {}
    for item in lower_graph(sketch.model("y"), description="").model.operations:
        counts[item.operator] = counts.get(item.operator, 0) + multiply_adds(item)
    assert sum(counts.values()) == 6 * 7 * 5 * 2 * 9
    assert multiply_adds(_product((1, 5), (7, 5), (1, 7), Operator.FULLY_CONNECTED)) == 35
    assert multiply_adds(_product((2, 3, 5), (2, 4, 5), (2, 3, 4), Operator.BATCH_MATMUL)) == 2 * 3 * 4 * 5


def _product(left: tuple[int, ...], right: tuple[int, ...], out: tuple[int, ...], operator: Operator) -> Operation:
    return Operation(
        operator=operator,
        inputs=(image(*left), image(*right)),
        outputs=(image(*out),),
        options_type=OptionsUnion.NONE,
    )
