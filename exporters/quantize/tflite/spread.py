"""Ranges of tensors that only the TFLite form has, where they follow from those that calibration knows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from condmix.exporters.quantize.ranges import Range
from condmix.exporters.quantize.tflite.roles import data_inputs, moves_only
from condmix.exporters.tflite.model import Operation, TfliteModel
from condmix.exporters.tflite.schema import Operator

COVERING = frozenset(
    {Operator.RESHAPE, Operator.CONCATENATION, Operator.PAD, Operator.TRANSPOSE, Operator.DEPTH_TO_SPACE}
)
"""Operators that lose nothing: what is known of the result holds for the inputs."""
NO_NUMBER = float(np.finfo(np.float32).max) / 2
"""Beyond, a stored number stands for minus infinity: the border of a maximum. It becomes the lowest of the grid."""


def spread_ranges(model: TfliteModel, known: Mapping[int, Range]) -> dict[int, Range]:
    """Known ranges by tensor identity, and what follows: a slice has no larger numbers than its source.

    Forwards through whatever moves elements; backwards through what keeps all of them.
    """
    found = dict(known)
    moving = [operation for operation in model.operations if moves_only(operation)]
    for operation in moving:
        _forwards(operation, found)
    for operation in reversed(moving):
        if operation.operator in COVERING:
            _backwards(operation, found)
    return found


def _forwards(operation: Operation, found: dict[int, Range]) -> None:
    output = operation.outputs[0]
    ranges = [found.get(id(item)) if item.data is None else _of_stored(item.data) for item in data_inputs(operation)]
    if id(output) in found or not ranges or any(own is None for own in ranges):
        return
    joined = Range(low=0.0, high=0.0)
    for own in ranges:
        assert own is not None
        joined = joined.joined(own)
    found[id(output)] = joined


def _of_stored(data: np.ndarray) -> Range:
    real = data[np.abs(data) < NO_NUMBER]
    return Range.around(real.min(initial=0.0), real.max(initial=0.0))


def _backwards(operation: Operation, found: dict[int, Range]) -> None:
    known = found.get(id(operation.outputs[0]))
    if known is None:
        return
    for item in data_inputs(operation):
        if item.data is None:
            found.setdefault(id(item), known)
