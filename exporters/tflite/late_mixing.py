"""When a kernel is mixed: behind what its image waits for, not before.

A partition of the delegate takes every operator that can already run. The kernel of a layer behind a depthwise
CondConv, whose builtin kernel runs between two partitions, would so be mixed in the one before: copied into a tensor
that both see, out of the caches when it is read; and where the bank is int8, the product comes right before the builtin
kernel, which then takes 1.6 times as long (measured on one machine with AVX-512; presumably the state of its wide
registers). A number of the image beside the routing, which is cut off again at once, makes the mixing wait: four tiny
operators, and the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from condmix.exporters.tflite.emitter import Emitter
from condmix.exporters.tflite.model import Operation, Tensor
from condmix.exporters.tflite.schema import Operator

LEAVES_DELEGATE = frozenset({Operator.CONV_2D, Operator.DEPTHWISE_CONV_2D})
"""With a computed filter."""


def awaiting(emitter: Emitter, routing: Tensor, x: Tensor) -> Tensor:
    """The same routing (images, experts), not known before the image `x` (images, height, width, channels) is.

    Where `x` waits for nothing outside the delegate that the routing does not wait for as well, nothing is written.
    """
    if not _waits_for(x, emitter.operations) - _waits_for(routing, emitter.operations):
        return routing
    images = x.shape[0]
    corner = emitter.slice(x, (0, 0, 0, 0), (images, 1, 1, 1), "corner")
    number = emitter.reshape(corner, (images, 1), "corner_number")
    beside = emitter.concat([routing, number], 1, "routing_and_corner")
    return emitter.slice(beside, (0, 0), routing.shape, "late_routing")


def _waits_for(tensor: Tensor, operations: Sequence[Operation]) -> frozenset[int]:
    """The operations outside the delegate, by identity, that a tensor depends on."""
    writer: Mapping[int, Operation] = {id(output): item for item in operations for output in item.outputs}
    seen: set[int] = set()
    found: set[int] = set()
    waiting = [tensor]
    while waiting:
        operation = writer.get(id(waiting.pop()))
        if operation is None or id(operation) in seen:
            continue
        seen.add(id(operation))
        if _is_outside(operation):
            found.add(id(operation))
        waiting += [item for item in operation.inputs if item is not None]
    return frozenset(found)


def _is_outside(operation: Operation) -> bool:
    filters = operation.inputs[1] if len(operation.inputs) > 1 else None
    return operation.operator in LEAVES_DELEGATE and filters is not None and filters.data is None
