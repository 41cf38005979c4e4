"""What an int8 export to ONNX did with every layer, as data."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import onnx

from condmix.exporters.quantize.parameters import Affine


class Int8Kind(enum.Enum):
    """Layers with weights."""

    CONV = "Conv"
    GEMM = "Gemm"
    COND_CONV = "CondConv"
    MIX_CONV = "MixConv"


@dataclass(frozen=True, kw_only=True)
class Int8Layer:
    """One layer with weights: whether it computes in int8, in which form, and why so."""

    path: str
    output_name: str
    """Its value in the rewritten graph: tells layers of one module apart."""
    kind: Int8Kind
    int8: bool
    form: str
    why: str
    multiply_adds: int
    """Of the layer as it is defined, for one image."""
    weight_bytes: int
    """Stored in the file: weights, scales and biases."""

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {**asdict(self), "kind": self.kind.value}


@dataclass(frozen=True, kw_only=True, eq=False)
class Int8Build:
    """An int8 ONNX file's content and how it came about."""

    proto: onnx.ModelProto
    float_proto: onnx.ModelProto
    """The float graph it was made from: the same function up to rounding, value by value under the same names."""
    layers: tuple[Int8Layer, ...]
    inputs: Mapping[str, Affine] = field(default_factory=dict)
    """How integer inputs are to be made from real numbers, by name; empty where inputs are float."""
    outputs: Mapping[str, Affine] = field(default_factory=dict)
    """The same for integer outputs."""

    @property
    def int8_share(self) -> float:
        """The share of multiply-adds that compute in int8."""
        total = sum(layer.multiply_adds for layer in self.layers)
        return sum(layer.multiply_adds for layer in self.layers if layer.int8) / total if total else 0.0
