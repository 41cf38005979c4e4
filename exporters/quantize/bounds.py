"""What an operator says of its result whatever it is given: ReLU has no negative one, a sigmoid lies in 0..1."""

from __future__ import annotations

import math
from dataclasses import dataclass

import onnx_ir as ir

from condmix.exporters.graph.facts import constant, is_op


@dataclass(frozen=True, kw_only=True)
class Bound:
    """Ends that a value never passes; infinite where there is none.

    exact: the range is the bound itself, whatever was seen; else an end is the bound once the value reached it.
    """

    low: float = -math.inf
    high: float = math.inf
    exact: bool = False


FREE = Bound()
ZERO_TO_ONE = Bound(low=0.0, high=1.0, exact=True)
_FIXED = {
    "Relu": Bound(low=0.0),
    "Sigmoid": ZERO_TO_ONE,
    "HardSigmoid": ZERO_TO_ONE,
    "Softmax": ZERO_TO_ONE,
    "Tanh": Bound(low=-1.0, high=1.0, exact=True),
}
SAME_NUMBERS = (
    "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Identity", "MaxPool", "Split", "Slice", "DepthToSpace",
)  # fmt: skip
"""Their results are numbers of their first input."""


def bounds(graph: ir.Graph) -> dict[str, Bound]:
    """The bound of every value that has one, by name."""
    found: dict[str, Bound] = {}
    for node in graph:
        bound = _of(node, found)
        if bound != FREE:
            found.update({output.name or "": bound for output in node.outputs})
    return found


def _of(node: ir.Node, found: dict[str, Bound]) -> Bound:
    if is_op(node, *_FIXED):
        return _FIXED[node.op_type]
    if is_op(node, "Clip"):
        low, high = (_number(node, place) for place in (1, 2))
        return Bound(low=-math.inf if low is None else low, high=math.inf if high is None else high)
    first = node.inputs[0] if node.inputs else None
    if first is not None and is_op(node, *SAME_NUMBERS):
        return found.get(first.name or "", FREE)
    return FREE


def _number(node: ir.Node, place: int) -> float | None:
    array = constant(node.inputs[place]) if len(node.inputs) > place else None
    return None if array is None else float(array.reshape(()))
