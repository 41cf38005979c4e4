"""Which operator computes in int8 and which in float, with the reason; as measured in LiteRT 2.3 with XNNPACK."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass

from condmix.exporters.quantize.tflite.roles import (
    FILTER,
    WEIGHTED,
    Roles,
    data_inputs,
    find_roles,
    has_stored_filter,
    largest_input,
    moves_only,
)
from condmix.exporters.quantize.tflite.versions import NO_INT16
from condmix.exporters.tflite.model import Operation, TfliteModel
from condmix.exporters.tflite.schema import Operator, TensorType


class Arithmetic(enum.Enum):
    """How an operator computes."""

    INTEGER = "integer"
    """Stored numbers in, stored numbers out."""
    HYBRID = "hybrid"
    """int8 weights; float input and output; the input is rounded to int8 while the product is computed."""
    STORED = "stored"
    """int8 weights that the runtime turns into float when it loads; float arithmetic."""
    FLOAT = "float"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """How one operator computes, and why."""

    arithmetic: Arithmetic
    why: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A choice for each operation of a model, in order."""

    choices: tuple[Choice, ...]
    roles: Roles

    def arithmetic(self, index: int) -> Arithmetic:
        """Of one operation."""
        return self.choices[index].arithmetic


ASKED = "asked to stay in float"
COMPUTED = "its kernel is computed: the delegate takes none, and the builtin float kernel is the fastest"
ONE_POSITION = "int8 weights a channel; one position: its input is rounded to int8 on the fly, which costs nothing"
GATE = "int8 weights of one scale, for gates; its input is rounded to int8 on the fly, which costs nothing"
FOLLOWING = frozenset(
    {Operator.LOGISTIC, Operator.TANH, Operator.LEAKY_RELU, Operator.RELU, Operator.RELU6, Operator.MEAN}
)
ARITHMETIC = frozenset({Operator.ADD, Operator.SUB, Operator.MUL})


def plan_model(model: TfliteModel, mode: str, float_layers: frozenset[str], *, integer_input: bool = False) -> Plan:
    """The choices for a float model, in the order in which its operations run."""
    roles = find_roles(model)
    weighted = {"full": _full, "int16": _int16, "dynamic": _dynamic, "weights": _weights}[mode]
    integers: set[int] = {id(item) for item in model.inputs} if integer_input else set()
    settled: dict[int, Choice] = {}
    for operation in model.operations:
        if operation.path in float_layers:
            settled[id(operation)] = Choice(arithmetic=Arithmetic.FLOAT, why=ASKED)
        elif has_stored_filter(operation) or operation.operator is Operator.BATCH_MATMUL:
            settled[id(operation)] = weighted(operation, roles)
        elif mode == "int16" and operation.operator in NO_INT16:
            settled[id(operation)] = Choice(arithmetic=Arithmetic.FLOAT, why="the runtime has no int16 kernel for it")
        elif operation.operator in WEIGHTED:
            settled[id(operation)] = Choice(arithmetic=Arithmetic.FLOAT, why=COMPUTED)
    wanted = _wanted(model, settled)
    choices: list[Choice] = []
    for operation in model.operations:
        choice = settled.get(id(operation)) or _follow(operation, integers, wanted)
        if choice.arithmetic is Arithmetic.INTEGER:
            integers |= {id(output) for output in operation.outputs}
        choices.append(choice)
    return Plan(choices=tuple(choices), roles=roles)


def _wanted(model: TfliteModel, settled: Mapping[int, Choice]) -> frozenset[int]:
    """Tensors that only products on integers read, directly or behind operators that move elements."""
    given = {id(item) for item in model.outputs}
    readers: dict[int, list[bool]] = {}
    for operation in reversed(model.operations):
        choice = settled.get(id(operation))
        if choice is not None:
            wants = choice.arithmetic is Arithmetic.INTEGER
        else:
            output = id(operation.outputs[0])
            wants = moves_only(operation) and output not in given and all(readers.get(output, [False]))
        for item in data_inputs(operation):
            readers.setdefault(id(item), []).append(wants)
    return frozenset(item for item, wants in readers.items() if all(wants) and item not in given)


def _integer(why: str) -> Choice:
    return Choice(arithmetic=Arithmetic.INTEGER, why=why)


def _full(operation: Operation, roles: Roles) -> Choice:
    if id(operation) in roles.mixing:
        if id(operation) in roles.for_matmul:
            return _integer("experts are mixed in int8, the kernel has zero point 0")
        return Choice(
            arithmetic=Arithmetic.HYBRID,
            why="int8 experts, mixed into a float kernel",
        )
    if id(operation) in roles.routing:
        return Choice(arithmetic=Arithmetic.FLOAT, why="the routing decides on the kernel, and has few weights")
    if operation.operator is Operator.BATCH_MATMUL:
        right = operation.inputs[FILTER]
        if right is not None and id(right) in roles.kernels:
            return _integer("mixed kernel of zero point 0 times int8 activations")
        return Choice(arithmetic=Arithmetic.FLOAT, why="a product of computed tensors that is no CondConv")
    if _one_position(operation):
        return _on_the_fly(operation, roles)
    return _integer("int8 weights a channel, int8 activations")


def _int16(operation: Operation, roles: Roles) -> Choice:
    if id(operation) in roles.mixing:
        return Choice(arithmetic=Arithmetic.HYBRID, why="int8 experts; there is no mixing in int16")
    if id(operation) in roles.routing or operation.operator is Operator.BATCH_MATMUL:
        return Choice(arithmetic=Arithmetic.FLOAT, why="a computed kernel and its routing have no int16 form")
    if _one_position(operation):
        return _on_the_fly(operation, roles)
    return _integer("int8 weights a channel, int16 activations")


def _on_the_fly(operation: Operation, roles: Roles) -> Choice:
    return Choice(arithmetic=Arithmetic.HYBRID, why=GATE if has_one_scale(operation, roles) else ONE_POSITION)


def has_one_scale(operation: Operation, roles: Roles) -> bool:
    """Whether one scale serves all weights of a product whose input is rounded on the fly."""
    return id(operation) in roles.mixing or (id(operation) in roles.gates and _one_position(operation))


def _dynamic(operation: Operation, roles: Roles) -> Choice:
    if id(operation) in roles.mixing:
        return Choice(arithmetic=Arithmetic.HYBRID, why="int8 experts, one scale")
    if id(operation) in roles.routing:
        return Choice(arithmetic=Arithmetic.FLOAT, why="the routing decides on the kernel, and has few weights")
    if operation.operator is Operator.BATCH_MATMUL:
        return Choice(
            arithmetic=Arithmetic.FLOAT, why="a float product by a computed int8 kernel is wrong in the delegate"
        )
    if operation.operator is Operator.DEPTHWISE_CONV_2D:
        return Choice(
            arithmetic=Arithmetic.STORED,
            why="int8 weights turned into float when loaded: the delegate has no depthwise product on the fly",
        )
    if has_one_scale(operation, roles):
        return Choice(arithmetic=Arithmetic.HYBRID, why=GATE)
    return Choice(arithmetic=Arithmetic.HYBRID, why="int8 weights a channel, input rounded to int8 on the fly")


def _weights(operation: Operation, roles: Roles) -> Choice:
    if operation.operator is Operator.BATCH_MATMUL:
        return Choice(arithmetic=Arithmetic.FLOAT, why="its kernel is mixed in float")
    if id(operation) in roles.routing:
        return Choice(arithmetic=Arithmetic.FLOAT, why="the routing decides on the kernel, and has few weights")
    return Choice(arithmetic=Arithmetic.STORED, why="int8 weights turned into float when loaded")


def _one_position(operation: Operation) -> bool:
    """Whether it is a product of one row an image: a dense layer, or a convolution of images of one pixel."""
    if operation.operator is Operator.FULLY_CONNECTED:
        return True
    return operation.operator is Operator.CONV_2D and math.prod(operation.outputs[0].shape[1:3]) == 1


def _follow(operation: Operation, integers: set[int], wanted: frozenset[int]) -> Choice:
    """Operators without weights compute in what their largest input is held in, where they can."""
    largest = largest_input(operation)
    if largest is None or largest.type is not TensorType.FLOAT32:
        return Choice(arithmetic=Arithmetic.FLOAT, why="no activations")
    if moves_only(operation) and id(operation.outputs[0]) in wanted:
        return _integer("what it moves is read as integers only")
    if id(largest) not in integers:
        return Choice(arithmetic=Arithmetic.FLOAT, why="its input is float")
    if operation.operator in FOLLOWING or moves_only(operation):
        return _integer("its input is integer")
    if operation.operator in ARITHMETIC:
        stored = [item for item in data_inputs(operation) if item.data is not None]
        if any(math.prod(item.shape) > 1 for item in stored):
            return Choice(arithmetic=Arithmetic.FLOAT, why="a stored number a channel would share one scale")
        equals = [item for item in data_inputs(operation) if item.data is None and item.shape == largest.shape]
        if all(id(item) in integers for item in equals):
            return _integer("its inputs are integer")
        return Choice(arithmetic=Arithmetic.FLOAT, why="one of its inputs is float")
    return Choice(arithmetic=Arithmetic.FLOAT, why=f"no integer form of {operation.operator.name} is used")
