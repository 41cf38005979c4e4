"""How operands are read: axes, constants of any rank and type, what is missing or computed elsewhere."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from condmix.exporters.tflite.emitter import Emitter, nhwc
from condmix.exporters.tflite.lowering import Unsupported, axis_in_nchw, axis_of, operand, result_shape, scalar
from condmix.exporters.tflite.model import Tensor
from condmix.exporters.tflite.schema import TensorType
from tests.exporters.graphs import node_of
from tests.exporters.sketch import Sketch


def added(constant: np.ndarray) -> ir.Node:
    sketch = Sketch()
    sketch.input("x", (2, 3, 4, 5))
    sketch.node("Add", ["x", sketch.constant("c", constant)], "y", shape=(2, 3, 4, 5))
    return node_of(sketch.model("y"), "Add")


def test_axes_there_and_back() -> None:
    shape = (2, 3, 4, 5)
    for axis in range(-4, 4):
        assert nhwc(shape)[axis_of(axis, 4)] == shape[axis]
        assert axis_in_nchw(axis_of(axis, 4), 4) == axis % 4
    assert [axis_of(axis, 3) for axis in (0, 1, -1)] == [0, 1, 2]
    assert axis_in_nchw(2, 3) == 2


@pytest.mark.parametrize(
    ("shape", "rank", "stored"),
    [
        ((3, 1, 1), 4, (1, 1, 1, 3)),
        ((2, 3, 4, 5), 4, (2, 4, 5, 3)),
        ((5,), 4, (1, 1, 5, 1)),
        ((3, 4), 0, (3, 4)),
        ((3, 4), 3, (1, 3, 4)),
        ((), 4, (1,)),
        ((1, 1, 1, 1), 4, (1,)),
    ],
)
def test_constants_get_axes_in_front_and_then_the_layout(
    shape: tuple[int, ...], rank: int, stored: tuple[int, ...]
) -> None:
    array = np.random.default_rng(0).standard_normal(shape).astype(np.float32).reshape(shape)
    tensor = operand(Emitter(), added(array), 1, rank)
    assert tensor.shape == stored
    assert tensor.data is not None
    assert np.sort(tensor.data.reshape(-1)).tolist() == np.sort(array.reshape(-1)).tolist()


def test_the_runtime_has_no_double_and_few_long_integers() -> None:
    emitter = Emitter()
    assert operand(emitter, added(np.zeros(3)), 1, 0).type is TensorType.FLOAT32
    assert operand(emitter, added(np.zeros(3, dtype=np.int64)), 1, 0).type is TensorType.INT32
    assert operand(emitter, added(np.zeros(3, dtype=bool)), 1, 0).type is TensorType.BOOL


def test_a_computed_operand_is_the_tensor_that_holds_it() -> None:
    emitter, node = Emitter(), added(np.zeros(3, dtype=np.float32))
    with pytest.raises(Unsupported, match="'x' is not computed by a supported operator"):
        operand(emitter, node, 0, 4)
    x = Tensor(name="", shape=(2, 4, 5, 3), type=TensorType.FLOAT32)
    value = node.inputs[0]
    assert value is not None
    emitter.bind(value, x)
    assert operand(emitter, node, 0, 4) is x
    assert result_shape(node) == (2, 3, 4, 5)


def test_an_operand_that_is_left_out() -> None:
    sketch = Sketch()
    sketch.node("Clip", [sketch.input("x", (2,)), "", sketch.constant("high", 1.0)], "y")
    with pytest.raises(Unsupported, match="input 1 is missing"):
        operand(Emitter(), node_of(sketch.model("y"), "Clip"), 1, 0)


def test_a_number_that_broadcasts() -> None:
    tensor = scalar(Emitter(), 0.5, "half")
    assert tensor.data is not None
    assert (tensor.shape, tensor.data.dtype, tensor.data.tolist()) == ((1,), np.float32, [0.5])
