"""One operator as an engine ran it, in plain data that no format shines through."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from condmix.runtime.audit.vocabulary import Arithmetic


class Family(StrEnum):
    """What an operator does, whatever its format calls it."""

    CONVOLUTION = "convolution"
    DEPTHWISE = "depthwise convolution"
    POINTWISE = "1x1 convolution"
    PRODUCT = "matrix product"
    POOL = "pooling"
    SPLIT_CONCAT = "split/concat"
    LAYOUT = "layout"
    RESHAPE = "reshape"  # no byte has to move
    BOUNDARY = "quantise/dequantise"
    ELEMENTWISE = "elementwise"
    OTHER = "other"


CONVOLUTIONS = frozenset({Family.CONVOLUTION, Family.DEPTHWISE, Family.POINTWISE})
MOVEMENTS = frozenset({Family.SPLIT_CONCAT, Family.LAYOUT, Family.RESHAPE, Family.BOUNDARY})


@dataclass(frozen=True, kw_only=True)
class Step:
    """One operator.

    module: the PyTorch module that it came from; None when nothing tells.
    inputs: the values it reads that depend on the input of the network. outputs: the values it writes.
    kernel: the input that holds the weights of a convolution when they are computed, else None.
    time_us: of one call; 0 where only whole modules are timed.
    size_bytes: what it reads and writes when each operand passes once: weights, activations, results.
    """

    operator: str
    module: str | None
    family: Family
    arithmetic: Arithmetic
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    kernel: str | None
    time_us: float
    multiply_adds: int
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class StepGraph:
    """All steps in running order. shapes: value -> its shape, as far as it is known."""

    steps: tuple[Step, ...]
    shapes: Mapping[str, tuple[int, ...]]
    writer: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        writer = {name: place for place, step in enumerate(self.steps) for name in step.outputs}
        object.__setattr__(self, "writer", writer)

    def elements(self, value: str) -> int:
        """How many numbers the value holds; 0 when its shape is not known."""
        return math.prod(self.shapes[value]) if value in self.shapes else 0

    def is_vector(self, value: str) -> bool:
        """Each image has numbers along one axis only: pooled features, gates, routing weights."""
        shape = self.shapes.get(value, ())
        return bool(shape) and math.prod(shape[1:]) == max(shape[1:], default=1)

    def is_one_number(self, value: str) -> bool:
        """Each image has a single number."""
        shape = self.shapes.get(value, ())
        return len(shape) > 1 and math.prod(shape[1:]) == 1
