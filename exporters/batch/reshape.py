"""Reshape under a batch: find where its axis of size one went, and write the target without the number one."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.facts import constant_ints, static_shape
from condmix.exporters.lower.batch_axis import BatchAxis


def batch_place(before: tuple[int, ...], axis: int, after: tuple[int, ...]) -> int | None:
    """The axis of `after` that continues axis `axis` (size one) of `before`; None when it merged with another.

    Elements keep their order, so the batch must have as many elements in front of it as before.
    """
    in_front = int(np.prod(before[:axis], dtype=np.int64))
    places = [
        index
        for index, size in enumerate(after)
        if size == 1 and int(np.prod(after[:index], dtype=np.int64)) == in_front
    ]
    if not places:
        return None
    return axis if axis in places else places[0]


def batched_target(node: ir.Node, place: int, batch: BatchAxis) -> ir.Value | None:
    """A new constant for the Reshape's target, with the batch at `place`; None when the target is computed."""
    if constant_ints(node.inputs[1]) is None:
        return None
    numbers = list(static_shape(node.outputs[0]))
    numbers[place] = batch.target
    return ir.Value(
        name=f"{node.outputs[0].name}/batched_shape",
        shape=ir.Shape([len(numbers)]),
        type=ir.TensorType(ir.DataType.INT64),
        const_value=ir.tensor(np.asarray(numbers, dtype=np.int64)),
    )
