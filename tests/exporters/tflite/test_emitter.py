"""Tensors and operators of one subgraph: names, sharing, what is left out, concatenations in steps."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir
import pytest

from condmix.exporters.tflite.emitter import LARGEST_CONCAT, Emitter, nhwc, to_nhwc
from condmix.exporters.tflite.model import Quantization, Tensor
from condmix.exporters.tflite.schema import Activation, Operator, OptionsUnion, TensorType


def given(*shape: int, type_: TensorType = TensorType.FLOAT32) -> Tensor:
    return Tensor(name="x", shape=shape, type=type_)


def operators(emitter: Emitter) -> list[str]:
    return [operation.operator.name for operation in emitter.operations]


def test_only_four_axes_have_another_order() -> None:
    assert nhwc((2, 3, 4, 5)) == (2, 4, 5, 3)
    assert nhwc((2, 3, 4)) == (2, 3, 4)
    image = np.arange(120).reshape(2, 3, 4, 5)
    np.testing.assert_array_equal(to_nhwc(image), np.moveaxis(image, 1, 3))
    assert to_nhwc(image).flags.c_contiguous
    line = np.arange(6).reshape(2, 3)
    assert to_nhwc(line) is line


def test_names_carry_the_module_and_are_unique() -> None:
    emitter = Emitter()
    emitter.path = "blocks.0"
    names = [emitter.new((1,), "sum").name for _ in range(3)]
    assert names == ["blocks.0/sum", "blocks.0/sum_2", "blocks.0/sum_3"]
    value = ir.Value(name="relu_1")
    tensor = emitter.new((1,), "sum")
    emitter.bind(value, tensor)
    assert (tensor.name, emitter.tensor(value), emitter.holds(value)) == ("blocks.0:relu_1", tensor, True)
    emitter.path = ""
    other = emitter.new((1,), "sum")
    emitter.bind(ir.Value(name="logits"), other)
    assert other.name == "logits"
    assert emitter.tensor_names() == {"relu_1": "blocks.0:relu_1", "logits": "logits"}


def test_operations_know_their_module_and_their_node() -> None:
    emitter = Emitter()
    emitter.path, emitter.source = "blocks.0", "getitem_3"
    x = given(1, 4)
    emitter.reshape(x, (2, 2))
    emitter.path = emitter.source = ""
    emitter.reshape(x, (4, 1))
    assert [(item.path, item.source) for item in emitter.operations] == [("blocks.0", "getitem_3"), ("", "")]


def test_a_constant_keeps_its_name_when_a_value_is_bound_to_it() -> None:
    emitter = Emitter()
    stored = emitter.constant(np.zeros(3, dtype=np.float32), "weight")
    emitter.bind(ir.Value(name="v"), stored)
    assert stored.name == "/weight"
    assert emitter.tensor_names() == {}


def test_small_equal_constants_are_one_and_weights_are_not() -> None:
    emitter = Emitter()
    first = emitter.int32s([1, 2], "shape")
    assert emitter.int32s([1, 2], "other") is first
    assert emitter.int32s([2, 1], "other") is not first
    assert emitter.constant(np.asarray([1, 2], dtype=np.float32), "other") is not first
    assert emitter.constant(np.asarray([[1, 2]], dtype=np.int32), "other") is not first
    weight = np.zeros((4, 5), dtype=np.float32)
    assert emitter.constant(weight, "w") is not emitter.constant(weight, "w")
    eight = np.zeros(2, dtype=np.int8)
    scaled = [emitter.constant(eight, "q", quantization=Quantization(scale=scale)) for scale in (1.0, 2.0)]
    assert scaled[0] is not scaled[1]


def test_what_changes_nothing_is_not_written() -> None:
    emitter = Emitter()
    x = given(2, 3, 4, 5)
    assert emitter.reshape(x, (2, 3, 4, 5)) is x
    assert emitter.transpose(x, (0, 1, 2, 3)) is x
    assert emitter.pad(x, [(0, 0)] * 4) is x
    assert emitter.slice(x, (0,) * 4, x.shape) is x
    assert emitter.concat([x], 1) is x
    assert emitter.operations == []


def test_shapes_of_results() -> None:
    emitter = Emitter()
    x = given(2, 3, 4, 5)
    assert emitter.transpose(x, (0, 3, 1, 2)).shape == (2, 5, 3, 4)
    assert emitter.pad(x, [(0, 0), (1, 2), (0, 3), (0, 0)]).shape == (2, 6, 7, 5)
    assert emitter.slice(x, (0, 1, 0, 0), (2, 2, 4, 5)).shape == (2, 2, 4, 5)
    assert emitter.strided_slice(x, (0, 0, 1, 0), (2, 3, 4, 5), (1, 2, 2, 3)).shape == (2, 2, 2, 2)
    assert emitter.concat([x, x], 2).shape == (2, 3, 8, 5)
    assert emitter.binary(Operator.MUL, x, given(5), "m").shape == (2, 3, 4, 5)
    assert emitter.fully_connected(given(2, 7), given(3, 7), None).shape == (2, 3)
    assert emitter.batch_matmul(given(2, 4, 7), given(2, 7, 3), "b").shape == (2, 4, 3)
    assert emitter.batch_matmul(given(1, 4, 7), given(2, 3, 7), "b", transpose_right=True).shape == (2, 4, 3)


@pytest.mark.parametrize("count", range(2, 12))
def test_long_concatenations_go_in_steps_of_what_the_delegate_takes(count: int) -> None:
    emitter = Emitter()
    tensors = [given(1, index + 1) for index in range(count)]
    result = emitter.concat(tensors, 1, "c", Activation.RELU)
    assert result.shape == (1, count * (count + 1) // 2)
    assert max(len(operation.inputs) for operation in emitter.operations) <= LARGEST_CONCAT
    assert len(emitter.operations) == math.ceil((count - 1) / (LARGEST_CONCAT - 1))
    # The activation belongs to the last step alone, and the order of the parts is kept.
    activations = [option.value for operation in emitter.operations for option in operation.options if option.slot == 1]
    assert activations == [0] * (len(emitter.operations) - 1) + [1]
    assert leaves(emitter, result) == tensors


def leaves(emitter: Emitter, tensor: Tensor | None) -> list[Tensor]:
    """The tensors that a concatenation of concatenations joins, in order."""
    assert tensor is not None
    makers = [operation for operation in emitter.operations if operation.outputs[0] is tensor]
    return [leaf for item in makers[0].inputs for leaf in leaves(emitter, item)] if makers else [tensor]


def test_element_types_are_passed_on() -> None:
    emitter = Emitter()
    x = given(2, 3, type_=TensorType.INT32)
    results = [
        emitter.reshape(x, (6,)),
        emitter.transpose(x, (1, 0)),
        emitter.pad(x, [(1, 0), (0, 0)]),
        emitter.slice(x, (0, 0), (1, 3)),
        emitter.strided_slice(x, (0, 0), (2, 3), (1, 2)),
        emitter.concat([x, x], 0),
        emitter.binary(Operator.ADD, x, x, "a"),
    ]
    assert {tensor.type for tensor in results} == {TensorType.INT32}


def test_operators_that_carry_an_activation_always_state_it() -> None:
    emitter = Emitter()
    x = given(2, 3)
    emitter.binary(Operator.ADD, x, x, "a", Activation.RELU6)
    emitter.binary(Operator.MAXIMUM, x, x, "m")
    first, second = emitter.operations
    assert [(option.slot, option.kind, option.value) for option in first.options] == [(0, "int8", 3)]
    assert (second.options_type, second.options) == (OptionsUnion.MAXIMUM_MINIMUM, ())
    assert operators(emitter) == ["ADD", "MAXIMUM"]
