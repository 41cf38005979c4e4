"""What a lowering of one ONNX node is, and how it reads its operands in TFLite's layout."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.facts import constant, static_shape
from condmix.exporters.tflite.emitter import Emitter, to_nhwc
from condmix.exporters.tflite.model import Tensor
from condmix.exporters.tflite.schema import Activation

Lowering = Callable[[Emitter, ir.Node, Activation], Tensor]


class Unsupported(Exception):
    """An operator has no form here; the sentence says why. Caught by the driver, which collects all of them."""


NHWC_AXIS = (0, 3, 1, 2)
"""Where each NCHW axis lies in NHWC."""


def axis_of(axis: int, rank: int) -> int:
    """An ONNX axis in TFLite's layout."""
    return NHWC_AXIS[axis % rank] if rank == 4 else axis % rank


def axis_in_nchw(axis: int, rank: int) -> int:
    """The opposite: an axis of TFLite's layout in ONNX's."""
    return NHWC_AXIS.index(axis) if rank == 4 else axis


def operand(emitter: Emitter, node: ir.Node, index: int, rank: int) -> Tensor:
    """An input as a tensor; a constant is stored in TFLite's layout, with leading ones up to `rank`."""
    value = node.inputs[index]
    if value is None:
        message = f"input {index} is missing"
        raise Unsupported(message)
    if emitter.holds(value):
        return emitter.tensor(value)
    array = constant(value)
    if array is None:
        message = f"'{value.name}' is not computed by a supported operator"
        raise Unsupported(message)
    if array.dtype == np.float64:
        array = array.astype(np.float32)
    if array.dtype == np.int64:
        array = array.astype(np.int32)
    if array.size == 1:
        return emitter.constant(array.reshape(1), f"constant_{index}")
    if 0 < array.ndim < rank:
        array = array.reshape((1,) * (rank - array.ndim) + array.shape)
    return emitter.constant(to_nhwc(array), f"constant_{index}")


def scalar(emitter: Emitter, number: float, role: str) -> Tensor:
    """A stored number that broadcasts."""
    return emitter.constant(np.asarray([number], dtype=np.float32), role)


def result_shape(node: ir.Node) -> tuple[int, ...]:
    """The ONNX shape of a node's first result."""
    return static_shape(node.outputs[0])
