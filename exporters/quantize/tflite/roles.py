"""What part an operator plays for quantisation, read from the structure of the lowered graph, never from names."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from condmix.exporters.quantize.tflite.gates import find_gates
from condmix.exporters.tflite.model import Operation, Tensor, TfliteModel
from condmix.exporters.tflite.schema import Operator, TensorType

MOVES = frozenset(
    {
        Operator.RESHAPE,
        Operator.SLICE,
        Operator.STRIDED_SLICE,
        Operator.CONCATENATION,
        Operator.PAD,
        Operator.TRANSPOSE,
        Operator.MAX_POOL_2D,
        Operator.RESIZE_NEAREST_NEIGHBOR,
        Operator.RESIZE_BILINEAR,
        Operator.DEPTH_TO_SPACE,
    }
)
"""Their results are elements of their inputs, or lie between them: one scale serves both sides."""
GATES = frozenset({Operator.LOGISTIC, Operator.SOFTMAX})
FILTER = 1
"""Which input of a convolution or product holds its weights."""
WEIGHTED = frozenset({Operator.CONV_2D, Operator.DEPTHWISE_CONV_2D, Operator.FULLY_CONNECTED})
APPLYING = frozenset({Operator.CONV_2D, Operator.DEPTHWISE_CONV_2D, Operator.BATCH_MATMUL})
ROUTING_OPERATORS = frozenset(
    {Operator.FULLY_CONNECTED, Operator.RESHAPE, Operator.SLICE, Operator.PAD, Operator.CONCATENATION, *GATES}
)


@dataclass(frozen=True, kw_only=True)
class Roles:
    """Operations and tensors by identity.

    kernels: tensors that hold a mixed kernel, from the product that mixes experts to what applies it.
    mixing: FULLY_CONNECTED operations that mix stored experts into one of those.
    for_matmul: those of them whose kernel a BATCH_MATMUL applies.
    routing: operations between an image's mean and its routing, and those that mix biases.
    gates: products whose results are the logits of gates, and nothing else.
    """

    kernels: frozenset[int]
    mixing: frozenset[int]
    for_matmul: frozenset[int]
    routing: frozenset[int]
    gates: frozenset[int]


def find_roles(model: TfliteModel) -> Roles:
    """The parts that computed kernels and their routing play in a model."""
    producer = {id(output): operation for operation in model.operations for output in operation.outputs}
    kernels: set[int] = set()
    mixing: dict[int, Operation] = {}
    for_matmul: set[int] = set()
    for operation in model.operations:
        right = operation.inputs[FILTER] if len(operation.inputs) > FILTER else None
        if right is None or right.data is not None or operation.operator not in APPLYING:
            continue
        moved = _moved(right, producer)
        sources = [producer[item] for item in moved if item in producer and _mixes(producer[item])]
        if sources:
            kernels |= moved
            mixing |= {id(source): source for source in sources}
        if operation.operator is Operator.BATCH_MATMUL:
            for_matmul |= {id(source) for source in sources}
    gates: set[int] = set()
    for operation in mixing.values():
        gates |= _moved(operation.inputs[0], producer) if operation.inputs[0] is not None else set()
    biases = {
        id(operation)
        for operation in model.operations
        if _mixes(operation) and id(operation.inputs[0]) in gates and id(operation) not in mixing
    }
    return Roles(
        kernels=frozenset(kernels),
        mixing=frozenset(mixing),
        for_matmul=frozenset(for_matmul),
        routing=frozenset(_routing(mixing.values(), producer) | biases),
        gates=find_gates(model),
    )


def _mixes(operation: Operation) -> bool:
    return operation.operator is Operator.FULLY_CONNECTED and has_stored_filter(operation)


def _moved(tensor: Tensor, producer: Mapping[int, Operation]) -> set[int]:
    """A tensor and those that it was moved from, or rescaled from by a stored number a channel."""
    found: set[int] = set()
    waiting = [tensor]
    while waiting:
        item = waiting.pop()
        if id(item) in found:
            continue
        found.add(id(item))
        source = producer.get(id(item))
        if source is not None and (source.operator in MOVES or _is_rescaling(source)):
            waiting += [own for own in data_inputs(source) if own.data is None]
    return found


def _is_rescaling(operation: Operation) -> bool:
    return operation.operator is Operator.MUL and any(
        item is not None and item.data is not None for item in operation.inputs
    )


def _routing(mixing: Iterable[Operation], producer: Mapping[int, Operation]) -> set[int]:
    """What lies between an image and a routing vector."""
    found: set[int] = set()
    waiting = [operation.inputs[0] for operation in mixing]
    while waiting:
        tensor = waiting.pop()
        source = None if tensor is None else producer.get(id(tensor))
        if tensor is None or source is None or id(source) in found or len(tensor.shape) == 4:
            continue
        if source.operator in ROUTING_OPERATORS:
            found.add(id(source))
            waiting += source.inputs[:1]
    return found


def has_stored_filter(operation: Operation) -> bool:
    """Whether an operator multiplies by weights that are stored as float32."""
    if operation.operator not in WEIGHTED:
        return False
    weight = operation.inputs[FILTER]
    return weight is not None and weight.data is not None and weight.type is TensorType.FLOAT32


def data_inputs(operation: Operation) -> tuple[Tensor, ...]:
    """The inputs that hold numbers of the network, computed or stored: not shapes, axes, weights or biases."""
    if operation.operator in WEIGHTED:
        candidates = [operation.inputs[0], operation.inputs[FILTER]]
        return tuple(item for item in candidates if item is not None and item.data is None)
    return tuple(item for item in operation.inputs if item is not None and item.type is TensorType.FLOAT32)


def largest_input(operation: Operation) -> Tensor | None:
    """The largest computed input."""
    computed = [item for item in data_inputs(operation) if item.data is None]
    return max(computed, key=lambda item: math.prod(item.shape), default=None)


def is_subsampling(operation: Operation) -> bool:
    """Whether a depthwise convolution only leaves positions out: its kernel is a single one, its bias zero."""
    if operation.operator is not Operator.DEPTHWISE_CONV_2D or not has_stored_filter(operation):
        return False
    weight, bias = operation.inputs[FILTER], operation.inputs[2]
    assert weight is not None
    assert weight.data is not None
    plain = bias is None or (bias.data is not None and not bias.data.any())
    return weight.shape[1:3] == (1, 1) and bool((weight.data == 1.0).all()) and plain


def moves_only(operation: Operation) -> bool:
    """Whether inputs and outputs can and must share one scale."""
    return operation.operator in MOVES or is_subsampling(operation)


def multiply_adds(operation: Operation) -> int:
    """Of one call, all images together; 0 for what is no product."""
    output = operation.outputs[0].shape
    right = operation.inputs[FILTER] if len(operation.inputs) > FILTER else None
    if right is None:
        return 0
    if operation.operator is Operator.CONV_2D:
        return math.prod(output) * math.prod(right.shape[1:])
    if operation.operator is Operator.DEPTHWISE_CONV_2D:
        return math.prod(output) * math.prod(right.shape[1:3])
    if operation.operator is Operator.FULLY_CONNECTED:
        return math.prod(output) * right.shape[-1]
    if operation.operator is Operator.TRANSPOSE_CONV:
        source = operation.inputs[2]
        assert source is not None
        return math.prod(source.shape) * math.prod(right.shape[:3])
    if operation.operator is Operator.BATCH_MATMUL:
        left = operation.inputs[0]
        assert left is not None
        return math.prod(output) * left.shape[-1]
    return 0
