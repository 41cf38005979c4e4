"""A model lists each of its tensors once, inputs first."""

from __future__ import annotations

import numpy as np
import pytest

from condmix.exporters.tflite.model import (
    DTYPE_OF_TYPE,
    TYPE_OF_DTYPE,
    Operation,
    Quantization,
    Tensor,
    TfliteModel,
)
from condmix.exporters.tflite.schema import Operator, OptionsUnion, TensorType


def tensor(name: str, data: np.ndarray | None = None) -> Tensor:
    return Tensor(name=name, shape=(1,), type=TensorType.FLOAT32, data=data)


def added(left: Tensor, right: Tensor | None, result: Tensor) -> Operation:
    return Operation(
        operator=Operator.ADD, inputs=(left, right), outputs=(result,), options_type=OptionsUnion.ADD, options=()
    )


def test_tensors_in_the_order_of_their_first_mention() -> None:
    x, unused, weight, middle, result = (tensor(name) for name in ("x", "unused", "weight", "middle", "result"))
    model = TfliteModel(
        description="",
        operations=(added(weight, x, middle), added(middle, None, result)),
        inputs=(x, unused),
        outputs=(result,),
        signature_inputs=("x", "unused"),
        signature_outputs=("result",),
    )
    assert model.tensors() == (x, unused, weight, middle, result)


def test_tensors_are_told_apart_by_what_they_are_not_by_what_they_hold() -> None:
    one, other = tensor("w", np.zeros(1, dtype=np.float32)), tensor("w", np.zeros(1, dtype=np.float32))
    result = tensor("y")
    model = TfliteModel(
        description="",
        operations=(added(one, other, result),),
        inputs=(),
        outputs=(result,),
        signature_inputs=(),
        signature_outputs=("y",),
    )
    assert len(model.tensors()) == 3


def test_every_type_has_a_dtype_and_back() -> None:
    assert set(DTYPE_OF_TYPE) == set(TensorType)
    assert {TYPE_OF_DTYPE[np.dtype(dtype)] for dtype in DTYPE_OF_TYPE.values()} == set(TensorType)


def test_one_scale_or_one_for_each_slice() -> None:
    whole, sliced = Quantization(scale=0.5, zero_point=3), Quantization(scale=(0.5, 0.25), axis=3)
    assert (whole.scales, whole.single_scale) == ((0.5,), 0.5)
    assert sliced.scales == (0.5, 0.25)
    with pytest.raises(ValueError, match="a tensor with 2 scales has no single one"):
        sliced.single_scale  # noqa: B018
