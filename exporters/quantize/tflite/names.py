"""Short names for stored tensors: in a small int8 file, names with module paths were 0.4% of the bytes.

Nothing is lost: what a stored tensor belongs to is told by the result of the operator that reads it, which has its
module path in its name, and what it is there by its place among the inputs.
"""

from __future__ import annotations

from dataclasses import replace

from condmix.exporters.quantize.tflite.roles import FILTER, WEIGHTED
from condmix.exporters.tflite.model import Operation, Tensor, TfliteModel

BIAS = 2


def with_short_names(model: TfliteModel) -> TfliteModel:
    """The model with weights named w1, w2 ..., biases b1 ..., other stored tensors c1 ...; no name appears twice."""
    taken = {tensor.name for tensor in model.tensors() if tensor.data is None}
    renamed: dict[int, Tensor] = {}
    count: dict[str, int] = {}

    def short(tensor: Tensor | None, letter: str) -> Tensor | None:
        if tensor is None or tensor.data is None:
            return tensor
        if id(tensor) not in renamed:
            name = ""
            while not name or name in taken:
                count[letter] = count.get(letter, 0) + 1
                name = f"{letter}{count[letter]}"
            renamed[id(tensor)] = replace(tensor, name=name)
        return renamed[id(tensor)]

    def rewritten(operation: Operation) -> Operation:
        inputs = (short(item, _letter(operation, place)) for place, item in enumerate(operation.inputs))
        return replace(operation, inputs=tuple(inputs))

    return replace(model, operations=tuple(rewritten(operation) for operation in model.operations))


def _letter(operation: Operation, place: int) -> str:
    if operation.operator not in WEIGHTED:
        return "c"
    return {FILTER: "w", BIAS: "b"}.get(place, "c")
