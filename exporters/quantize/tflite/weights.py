"""Stored weights and biases as integers: symmetric, a scale a channel (TFLite's int8 quantization specification)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from condmix.exporters.quantize.parameters import (
    INT8,
    INT8_SYMMETRIC,
    INT16_SYMMETRIC,
    Affine,
    asymmetric,
    channel_scales,
    stored,
    symmetric,
)
from condmix.exporters.quantize.ranges import Range
from condmix.exporters.tflite.model import Quantization, Tensor
from condmix.exporters.tflite.schema import Operator, TensorType

OUT_AXIS = {Operator.CONV_2D: 0, Operator.FULLY_CONNECTED: 0, Operator.DEPTHWISE_CONV_2D: 3}
LARGEST_BIAS = 2**30
"""Half of int32: what a product adds to it must still fit."""


@dataclass(frozen=True, kw_only=True)
class StoredFilter:
    """A filter in int8 and the bias that goes with it."""

    weight: Tensor
    bias: Tensor | None


def as_quantization(affine: Affine) -> Quantization:
    """As it is written."""
    return Quantization(scale=affine.scale, zero_point=affine.zero_point)


def whole_filter(weight: Tensor) -> np.ndarray:
    """The kernel that decides on a filter's scales: all of it, where the filter is a part."""
    numbers = weight.data if weight.whole is None else weight.whole
    assert numbers is not None
    return numbers


def int8_weight(weight: Tensor, operator: Operator, scales: np.ndarray | None = None) -> Tensor:
    """A stored float32 weight as int8 with a scale for each output channel."""
    assert weight.data is not None
    axis = OUT_AXIS[operator]
    # On the scales of the whole kernel, for on its grid the numbers were rounded before.
    own = channel_scales(whole_filter(weight), axis) if scales is None else scales
    shape = [-1 if index == axis else 1 for index in range(weight.data.ndim)]
    return Tensor(
        name=weight.name,
        shape=weight.shape,
        type=TensorType.INT8,
        data=stored(weight.data, own.reshape(shape), 0, INT8_SYMMETRIC),
        quantization=Quantization(scale=tuple(float(scale) for scale in own), axis=axis),
    )


def int8_bank(bank: Tensor) -> Tensor:
    """A bank of normalised experts, or the weights of gates, as int8 with one scale."""
    assert bank.data is not None
    affine = symmetric(max(float(bank.data.max(initial=0.0)), -float(bank.data.min(initial=0.0))))
    return Tensor(
        name=bank.name,
        shape=bank.shape,
        type=TensorType.INT8,
        data=stored(bank.data, affine.scale, 0, INT8_SYMMETRIC),
        quantization=as_quantization(affine),
    )


def integer_filter(
    weight: Tensor, bias: Tensor | None, operator: Operator, source: Affine, bias_type: TensorType
) -> StoredFilter:
    """A filter for integer inputs of scale `source`; its bias counts in products of both scales.

    A channel whose weights are so small that its bias would not fit gets coarser weights.
    """
    assert weight.data is not None
    scales = channel_scales(whole_filter(weight), OUT_AXIS[operator])
    if bias is None:
        return StoredFilter(weight=int8_weight(weight, operator, scales), bias=None)
    assert bias.data is not None
    values = bias.data.astype(np.float64)
    if bias_type is TensorType.INT32:
        needed = np.abs(values) / (source.scale * LARGEST_BIAS)
        scales = np.maximum(scales, needed.astype(np.float32))
    steps = scales.astype(np.float64) * source.scale
    dtype = np.int32 if bias_type is TensorType.INT32 else np.int64
    return StoredFilter(
        weight=int8_weight(weight, operator, scales),
        bias=Tensor(
            name=bias.name,
            shape=bias.shape,
            type=bias_type,
            data=np.rint(values / steps).astype(dtype),
            quantization=Quantization(scale=tuple(float(step) for step in steps)),
        ),
    )


def integer_constant(tensor: Tensor, type_: TensorType, affine: Affine | None = None) -> Tensor:
    """Another stored float32 tensor as integers, with its own scale unless it is told one."""
    assert tensor.data is not None
    if affine is None:
        span = Range.around(tensor.data.min(initial=0.0), tensor.data.max(initial=0.0))
        affine = symmetric(span.largest, INT16_SYMMETRIC) if type_ is TensorType.INT16 else asymmetric(span, INT8)
    return Tensor(
        name=tensor.name,
        shape=tensor.shape,
        type=type_,
        data=stored(tensor.data, affine.scale, affine.zero_point, affine.grid),
        quantization=as_quantization(affine),
    )
