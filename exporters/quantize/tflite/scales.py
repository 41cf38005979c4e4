"""Scale and zero point of every activation that is held as integers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from condmix.exporters.errors import CalibrationError
from condmix.exporters.quantize.parameters import (
    INT8,
    INT8_SYMMETRIC,
    INT16_SYMMETRIC,
    Affine,
    asymmetric,
    symmetric,
)
from condmix.exporters.quantize.ranges import Range, Ranges
from condmix.exporters.quantize.tflite.plan import Arithmetic, Plan
from condmix.exporters.quantize.tflite.ratios import within_ratios
from condmix.exporters.quantize.tflite.roles import FILTER, GATES, data_inputs, moves_only
from condmix.exporters.quantize.tflite.spread import spread_ranges
from condmix.exporters.quantize.tflite.ties import Ties
from condmix.exporters.tflite.model import Operation, Tensor, TfliteModel
from condmix.exporters.tflite.schema import Operator, TensorType

FORMAT = "tflite"
ROWS_AT_ONCE = 32
NAMES_SHOWN = 5
GATE_INT8 = Affine(scale=1 / 256, zero_point=-128, grid=INT8)
"""What TFLite's specification fixes for LOGISTIC and SOFTMAX in int8."""
TANH_INT8 = Affine(scale=1 / 128, zero_point=0, grid=INT8)
GATE_INT16 = Affine(scale=1 / 32768, zero_point=0, grid=INT16_SYMMETRIC)


@dataclass(frozen=True, kw_only=True)
class Integers:
    """How activations are stored."""

    type: TensorType
    gate: Affine
    tanh: Affine

    def affine(self, span: Range, *, is_symmetric: bool) -> Affine:
        """The scale for a range."""
        if self.type is TensorType.INT16:
            return symmetric(span.largest, INT16_SYMMETRIC)
        return symmetric(span.largest, INT8_SYMMETRIC) if is_symmetric else asymmetric(span, INT8)


INTEGERS = {
    "full": Integers(type=TensorType.INT8, gate=GATE_INT8, tanh=TANH_INT8),
    "int16": Integers(type=TensorType.INT16, gate=GATE_INT16, tanh=GATE_INT16),
}


@dataclass(frozen=True, kw_only=True)
class Held:
    """What the plan holds as integers: tensors in groups of one scale."""

    tensors: Mapping[int, Tensor]
    ties: Ties[int]
    fixed: Mapping[int, Affine]
    """By group."""
    symmetric: frozenset[int]
    """Groups that need zero point 0."""
    mixed: Mapping[int, Operation]
    """Groups of mixed kernels, by the operation that mixes."""


def held_tensors(model: TfliteModel, plan: Plan, integers: Integers, *, ends: bool = False) -> Held:
    """Every tensor that some operator reads or writes as integers; with `ends`, the model's inputs and outputs too."""
    tensors = {id(item): item for item in (*model.inputs, *model.outputs)} if ends else {}
    ties: Ties[int] = Ties()
    gates: dict[int, Affine] = {}
    joining: list[Operation] = []
    for index, operation in enumerate(model.operations):
        if plan.arithmetic(index) is not Arithmetic.INTEGER:
            continue
        computed = _computed(operation)
        tensors |= {id(item): item for item in computed}
        output = id(operation.outputs[0])
        if operation.operator is Operator.CONCATENATION:
            joining.append(operation)
        elif moves_only(operation):
            for item in computed:
                ties.tie(id(item), output)
        if operation.operator in GATES:
            gates[output] = integers.gate
        if operation.operator is Operator.TANH:
            gates[output] = integers.tanh
    fixed = {ties.group(item): affine for item, affine in gates.items()}
    for operation in joining:
        for item in _computed(operation):
            # What stands beside a gate may be larger than 1: the gate is rescaled, and keeps its own.
            if ties.group(id(item)) not in fixed:
                ties.tie(id(item), id(operation.outputs[0]))
    return Held(
        tensors=tensors,
        ties=ties,
        fixed=fixed,
        symmetric=frozenset(ties.group(item) for item in plan.roles.kernels if item in tensors),
        mixed={
            ties.group(id(operation.outputs[0])): operation
            for operation in model.operations
            if id(operation) in plan.roles.for_matmul and id(operation.outputs[0]) in tensors
        },
    )


def _computed(operation: Operation) -> list[Tensor]:
    return [item for item in (*data_inputs(operation), *operation.outputs) if item.data is None]


def missing_names(model: TfliteModel, held: Held, known_names: frozenset[str]) -> tuple[str, ...]:
    """Names of tensors whose range has to be observed: integers that calibration of the graph says nothing of."""
    any_range = Range(low=-1.0, high=1.0)
    known = {id(tensor): any_range for tensor in model.tensors() if tensor.name in known_names}
    known |= {item: any_range for item in held.tensors if _is_settled(item, held)}
    spread = spread_ranges(model, known)
    moved = {id(operation.outputs[0]) for operation in model.operations if moves_only(operation)}
    return tuple(tensor.name for item, tensor in held.tensors.items() if item not in spread and item not in moved)


def _is_settled(item: int, held: Held) -> bool:
    group = held.ties.group(item)
    return group in held.fixed or group in held.mixed


def affines(
    model: TfliteModel,
    plan: Plan,
    held: Held,
    integers: Integers,
    ranges: Ranges,
    value_of_tensor: Mapping[str, tuple[str, ...]],
) -> dict[int, Affine]:
    """The scale of every tensor that is held as integers, by identity.

    Raises CalibrationError naming what the ranges do not know.
    """
    known: dict[int, Range] = {}
    for tensor in model.tensors():
        for name in (*value_of_tensor.get(tensor.name, ()), tensor.name):
            if tensor.data is None and ranges.holds(name, FORMAT):
                known[id(tensor)] = ranges.of(name, FORMAT)
                break
    spread = spread_ranges(model, known)
    missing = [
        tensor.name for item, tensor in held.tensors.items() if item not in spread and not _is_settled(item, held)
    ]
    if missing:
        shown = ", ".join(missing[:NAMES_SHOWN]) + (
            f" and {len(missing) - NAMES_SHOWN} more" if len(missing) > NAMES_SHOWN else ""
        )
        message = (
            f"no range is known for {shown} in the {FORMAT} file: these ranges belong to another network or version"
        )
        raise CalibrationError(message)
    joined: dict[int, Range] = {}
    for item in held.tensors:
        group = held.ties.group(item)
        if not _is_settled(item, held):
            joined[group] = joined.get(group, spread[item]).joined(spread[item])
    result: dict[int, Affine] = dict(held.fixed)
    for group, span in joined.items():
        result[group] = integers.affine(span, is_symmetric=group in held.symmetric)
    producer = {id(output): operation for operation in model.operations for output in operation.outputs}
    for group, operation in held.mixed.items():
        routing = routing_of(operation, producer, value_of_tensor)
        result[group] = symmetric(largest_mixed(operation, routing, ranges, value_of_tensor))
    if integers.type is TensorType.INT8:
        result = within_ratios(model, plan, held.ties, frozenset(held.fixed), result)
    return {item: result[held.ties.group(item)] for item in held.tensors}


def routing_of(
    mixing: Operation, producer: Mapping[int, Operation], value_of_tensor: Mapping[str, tuple[str, ...]]
) -> Tensor:
    """The routing that a mixing operation reads, before it was moved into the rows of its product."""
    tensor = mixing.inputs[0]
    while tensor is not None and tensor.name not in value_of_tensor:
        source = producer.get(id(tensor))
        if source is None or not moves_only(source):
            break
        tensor = source.inputs[0]
    assert tensor is not None
    return tensor


def largest_mixed(
    mixing: Operation, routing: Tensor, ranges: Ranges, value_of_tensor: Mapping[str, tuple[str, ...]]
) -> float:
    """The largest magnitude of any element of any kernel that the routing of the calibration set mixes."""
    bank = mixing.inputs[FILTER]
    assert bank is not None
    assert bank.data is not None
    # A column of the product holds several elements of the kernel, each with a weight an expert.
    bank_ke = bank.data.reshape(-1, routing.shape[1])
    names = value_of_tensor.get(routing.name, ())
    rows = next((ranges.routing[name] for name in names if name in ranges.routing), None)
    if rows is None:
        message = f"no routing is known for '{routing.name}': these ranges belong to another network or version"
        raise CalibrationError(message)
    largest = 0.0
    for first in range(0, len(rows), ROWS_AT_ONCE):
        mixed = rows[first : first + ROWS_AT_ONCE].astype(np.float32) @ bank_ke.T
        largest = max(largest, float(np.abs(mixed).max(initial=0.0)))
    return largest
