"""A TFLite model in plain data, before it is bytes: tensors, operators, and their options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from condmix.exporters.tflite.schema import Operator, OptionsUnion, TensorType

DTYPE_OF_TYPE: dict[TensorType, type[np.generic]] = {
    TensorType.FLOAT32: np.float32,
    TensorType.FLOAT16: np.float16,
    TensorType.INT32: np.int32,
    TensorType.INT64: np.int64,
    TensorType.INT8: np.int8,
    TensorType.INT16: np.int16,
    TensorType.BOOL: np.bool_,
}
TYPE_OF_DTYPE = {np.dtype(dtype): type_ for type_, dtype in DTYPE_OF_TYPE.items()}


@dataclass(frozen=True, kw_only=True)
class Quantization:
    """real = scale * (stored - zero_point): one scale for the tensor, or one for each slice along `axis`."""

    scale: float | tuple[float, ...]
    zero_point: int = 0
    axis: int = 0
    """Of the slices; means nothing where there is one scale."""

    @property
    def scales(self) -> tuple[float, ...]:
        """All of them."""
        return self.scale if isinstance(self.scale, tuple) else (self.scale,)

    @property
    def single_scale(self) -> float:
        """The one scale of the tensor. Raises ValueError where slices have their own."""
        if isinstance(self.scale, tuple):
            message = f"a tensor with {len(self.scale)} scales has no single one"
            raise ValueError(message)
        return self.scale


@dataclass(kw_only=True, eq=False)
class Tensor:
    """One value. `data` is None for what is computed."""

    name: str
    shape: tuple[int, ...]
    type: TensorType
    data: np.ndarray | None = None
    quantization: Quantization | None = None
    whole: np.ndarray | None = None
    """Of a stored kernel that is a part of one: all of it, with the channels of this part. One scale serves all."""


@dataclass(frozen=True, kw_only=True)
class Option:
    """One scalar field of an operator's options: its slot, its kind and its value."""

    slot: int
    kind: str
    """int8, int32, bool or float32."""
    value: int | float | bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Operation:
    """One operator of the graph; an input that is None is left out."""

    operator: Operator
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    options_type: OptionsUnion
    options: tuple[Option, ...] = ()
    version: int = 1
    path: str = ""
    """The module it comes from."""
    source: str = ""
    """The node of the graph it comes from, by the name of that node's first result; empty for what belongs to none."""


@dataclass(frozen=True, kw_only=True)
class TfliteModel:
    """A whole model with one subgraph and one signature."""

    description: str
    operations: tuple[Operation, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    signature_inputs: tuple[str, ...]
    signature_outputs: tuple[str, ...]
    metadata: Mapping[str, bytes] = field(default_factory=dict)

    def tensors(self) -> tuple[Tensor, ...]:
        """Every tensor once: inputs first, then in the order in which operators mention them."""
        seen: dict[int, Tensor] = {id(tensor): tensor for tensor in self.inputs}
        for operation in self.operations:
            for tensor in (*operation.inputs, *operation.outputs):
                if tensor is not None:
                    seen.setdefault(id(tensor), tensor)
        return tuple(seen.values())
