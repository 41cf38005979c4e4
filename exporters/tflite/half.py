"""Weights stored as float16: half the file; arithmetic stays float32, for the runtime unpacks them when it loads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from condmix.exporters.tflite.model import Operation, Tensor, TfliteModel
from condmix.exporters.tflite.schema import Operator, OptionsUnion, TensorType

SMALLEST_WEIGHT = 17
"""Smaller constants are scalars, axes and the like: nothing is gained by halving them."""


def store_half(model: TfliteModel) -> TfliteModel:
    """The model with every stored float32 weight as float16 behind a DEQUANTIZE.

    Numbers beyond float16's range stay float32: they would become infinite.
    """
    unpacked: dict[int, Tensor] = {}
    unpacking: list[Operation] = []
    for tensor in model.tensors():
        if not _is_weight(tensor):
            continue
        assert tensor.data is not None
        half = Tensor(
            name=f"{tensor.name}_float16",
            shape=tensor.shape,
            type=TensorType.FLOAT16,
            data=tensor.data.astype(np.float16),
        )
        whole = Tensor(name=tensor.name, shape=tensor.shape, type=TensorType.FLOAT32)
        unpacked[id(tensor)] = whole
        unpacking.append(
            Operation(
                operator=Operator.DEQUANTIZE, inputs=(half,), outputs=(whole,), options_type=OptionsUnion.DEQUANTIZE
            )
        )
    operations = [
        replace(
            operation,
            inputs=tuple(None if item is None else unpacked.get(id(item), item) for item in operation.inputs),
        )
        for operation in model.operations
    ]
    return replace(model, operations=(*unpacking, *operations))


def _is_weight(tensor: Tensor) -> bool:
    if tensor.data is None or tensor.type is not TensorType.FLOAT32 or tensor.data.size < SMALLEST_WEIGHT:
        return False
    # A bias weighs little, and the delegate leaves the unpacking of those that no operator of its own reads.
    if tensor.data.ndim < 2:
        return False
    return bool(np.abs(tensor.data).max() <= np.finfo(np.float16).max)
