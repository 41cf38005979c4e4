"""The steps of a TFLite file: each operator with its module, work and bytes, and its time where that was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from condmix.runtime.audit.tflite_arithmetic import ACTIVATION_INPUT, arithmetic_of, multiply_adds_of
from condmix.runtime.audit.tflite_file import TfliteFile, TfliteOperator
from condmix.runtime.profile.element_bits import size_bytes
from condmix.runtime.profile.module_path import of_tensor
from condmix.runtime.profile.step import Family, Step, StepGraph

FAMILIES = {
    "TRANSPOSE_CONV": Family.CONVOLUTION,
    "DEPTHWISE_CONV_2D": Family.DEPTHWISE,
    **dict.fromkeys(("FULLY_CONNECTED", "BATCH_MATMUL"), Family.PRODUCT),
    **dict.fromkeys(("MEAN", "AVERAGE_POOL_2D", "MAX_POOL_2D", "SUM", "REDUCE_MAX"), Family.POOL),
    **dict.fromkeys(("CONCATENATION", "SLICE", "STRIDED_SLICE", "PACK"), Family.SPLIT_CONCAT),
    **dict.fromkeys(("SPLIT", "SPLIT_V", "UNPACK"), Family.SPLIT_CONCAT),
    **dict.fromkeys(("TRANSPOSE", "DEPTH_TO_SPACE", "SPACE_TO_DEPTH"), Family.LAYOUT),
    **dict.fromkeys(("RESHAPE", "SQUEEZE", "EXPAND_DIMS"), Family.RESHAPE),
    **dict.fromkeys(("QUANTIZE", "DEQUANTIZE"), Family.BOUNDARY),
    **dict.fromkeys(("SHAPE", "RANK", "WHILE", "IF", "CALL", "CALL_ONCE"), Family.OTHER),
}  # fmt: skip
_WEIGHT_PLACE = 1


def tflite_steps(file: TfliteFile, operators: Sequence[str], times_us: Mapping[int, float]) -> tuple[StepGraph, int]:
    """The graph, and how many operators multiply in a number that is not counted.

    operators: the name of each.
    times_us: place of an operator -> time of a call, 0 for those missing.
    """
    varying = _varying(file)
    steps, uncounted = [], 0
    for place, (name, operator) in enumerate(zip(operators, file.operators, strict=True)):
        multiply_adds = multiply_adds_of(name, operator, file.tensors)
        uncounted += multiply_adds is None
        family = _family(file, name, operator)
        steps.append(
            Step(
                operator=name,
                module=of_tensor(file.tensors[operator.outputs[0]].name) if operator.outputs else None,
                family=family,
                arithmetic=arithmetic_of(name, operator, file.tensors),
                inputs=tuple(str(number) for number in dict.fromkeys(operator.inputs) if number in varying),
                outputs=tuple(map(str, operator.outputs)),
                kernel=_computed_kernel(name, operator, varying),
                time_us=times_us.get(place, 0.0),
                multiply_adds=multiply_adds or 0,
                size_bytes=0 if family is Family.RESHAPE else _size_bytes(file, operator),
            )
        )
    shapes = {str(number): tensor.shape for number, tensor in enumerate(file.tensors)}
    return StepGraph(steps=tuple(steps), shapes=shapes), uncounted


def _varying(file: TfliteFile) -> set[int]:
    """All tensors that depend on an input of the network."""
    varying = set(file.inputs)
    for operator in file.operators:
        if not varying.isdisjoint(operator.inputs):
            varying.update(operator.outputs)
    return varying


def _computed_kernel(name: str, operator: TfliteOperator, varying: set[int]) -> str | None:
    if name not in ACTIVATION_INPUT or FAMILIES.get(name) is Family.PRODUCT:
        return None
    number = operator.inputs[_WEIGHT_PLACE]
    return str(number) if number in varying else None


def _family(file: TfliteFile, name: str, operator: TfliteOperator) -> Family:
    if name == "CONV_2D":  # [outputs, height, width, inputs of a group]
        kernel = file.tensors[operator.inputs[_WEIGHT_PLACE]].shape
        return Family.POINTWISE if set(kernel[1:3]) == {1} else Family.CONVOLUTION
    return FAMILIES.get(name, Family.ELEMENTWISE)


def _size_bytes(file: TfliteFile, operator: TfliteOperator) -> int:
    numbers = [*dict.fromkeys(number for number in operator.inputs if number >= 0), *operator.outputs]
    return sum(size_bytes(file.tensors[number].dtype, file.tensors[number].shape) for number in numbers)
