"""Choosing by numbers: the largest few, comparisons, one of two values an element."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.facts import attribute_int, constant_ints
from condmix.exporters.tflite.emitter import Emitter
from condmix.exporters.tflite.lowering import Lowering, Unsupported, operand, result_shape
from condmix.exporters.tflite.model import Operation, Tensor
from condmix.exporters.tflite.schema import Activation, Operator, OptionsUnion, TensorType


def top_k(emitter: Emitter, node: ir.Node, _activation: Activation) -> Tensor:
    """The largest values of each row and their places; equal values in the order in which they stand, as in ONNX."""
    x = operand(emitter, node, 0, 0)
    rank = len(x.shape)
    counts = constant_ints(node.inputs[1]) if len(node.inputs) > 1 else None
    if counts is None or len(counts) != 1:
        message = "how many are wanted is computed"
        raise Unsupported(message)
    if rank == 4 or attribute_int(node, "axis", -1) % rank != rank - 1 or not attribute_int(node, "largest", 1):
        message = "only the largest along the last axis of what is no image are found"
        raise Unsupported(message)
    shape = (*x.shape[:-1], counts[0])
    values = emitter.new(shape, "top_k", like=x.type)
    places = emitter.new(shape, "top_k_places", like=TensorType.INT32)
    emitter.operations.append(
        Operation(
            operator=Operator.TOPK_V2,
            inputs=(x, emitter.constant(np.asarray(counts[0], dtype=np.int32), "how_many")),
            outputs=(values, places),
            options_type=OptionsUnion.TOPK_V2,
            options=(),
            version=1,
            path=emitter.path,
            source=emitter.source,
        )
    )
    emitter.bind(node.outputs[1], places)
    return values


def compare(operator: Operator, union: OptionsUnion) -> Lowering:
    def build(emitter: Emitter, node: ir.Node, _activation: Activation) -> Tensor:
        left, right = _aligned(emitter, node, (0, 1))
        shape = np.broadcast_shapes(left.shape, right.shape)
        return emitter.emit(operator, [left, right], shape, options_type=union, like=TensorType.BOOL)

    return build


def where(emitter: Emitter, node: ir.Node, _activation: Activation) -> Tensor:
    condition, yes, no = _aligned(emitter, node, (0, 1, 2))
    shape = np.broadcast_shapes(condition.shape, yes.shape, no.shape)
    return emitter.emit(
        Operator.SELECT_V2, [condition, yes, no], shape, options_type=OptionsUnion.SELECT_V2, like=yes.type
    )


def _aligned(emitter: Emitter, node: ir.Node, places: tuple[int, ...]) -> list[Tensor]:
    """Operands that broadcast as in ONNX: images only with images and numbers."""
    rank = len(result_shape(node))
    tensors = [operand(emitter, node, place, rank) for place in places]
    ranks = {len(tensor.shape) for tensor in tensors if tensor.shape != (1,)}
    if 4 in ranks and len(ranks) > 1:
        message = "operands of four and of another number of axes are combined"
        raise Unsupported(message)
    return tensors


CHOICES: Mapping[str, Lowering] = {
    "TopK": top_k,
    "Less": compare(Operator.LESS, OptionsUnion.LESS),
    "LessOrEqual": compare(Operator.LESS_EQUAL, OptionsUnion.LESS_EQUAL),
    "Greater": compare(Operator.GREATER, OptionsUnion.GREATER),
    "GreaterOrEqual": compare(Operator.GREATER_EQUAL, OptionsUnion.GREATER_EQUAL),
    "Where": where,
}
