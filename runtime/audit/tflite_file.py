"""Reading a TFLite file into plain data: its tensors and operators, without the values of its constants.

LiteRT's own bindings of the format are imported when a file is read, never with this module.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_BINDINGS = "ai_edge_litert.schema_py_generated"
_BITS = {"int4": 4, "uint4": 4, "int2": 2, "int64": 64, "float64": 64, "uint64": 64, "complex64": 64, "complex128": 128}
_BITS_32, _BITS_16 = ("float32", "int32", "uint32"), ("float16", "bfloat16", "int16", "uint16")


@dataclass(frozen=True, kw_only=True)
class TfliteTensor:
    """One tensor. scale: equal for the same scales and zero points, None for a tensor without any."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    is_constant: bool
    scale: str | None


@dataclass(frozen=True, kw_only=True)
class TfliteOperator:
    """One operator; inputs that are left out have the number -1. left_transposed: of BATCH_MATMUL."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    left_transposed: bool


@dataclass(frozen=True, kw_only=True)
class TfliteFile:
    """The main subgraph. bytes_by_dtype: of the constants of all subgraphs, one that is used twice counted once."""

    tensors: tuple[TfliteTensor, ...]
    operators: tuple[TfliteOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    bytes_by_dtype: Mapping[str, int]
    other_subgraphs: int


def read_tflite(content: bytes) -> TfliteFile:
    """The file, which LiteRT must have opened before: nothing is checked here."""
    bindings = importlib.import_module(_BINDINGS)
    model = bindings.Model.GetRootAs(content, 0)
    dtypes = {number: name.lower() for name, number in vars(bindings.TensorType).items() if isinstance(number, int)}
    graph = model.Subgraphs(0)
    return TfliteFile(
        tensors=tuple(_tensor(model, graph.Tensors(place), dtypes) for place in range(graph.TensorsLength())),
        operators=tuple(_operator(bindings, graph.Operators(place)) for place in range(graph.OperatorsLength())),
        inputs=tuple(graph.Inputs(place) for place in range(graph.InputsLength())),
        outputs=tuple(graph.Outputs(place) for place in range(graph.OutputsLength())),
        bytes_by_dtype=_bytes_by_dtype(model, dtypes),
        other_subgraphs=model.SubgraphsLength() - 1,
    )


def _tensor(model: Any, tensor: Any, dtypes: Mapping[int, str]) -> TfliteTensor:
    return TfliteTensor(
        name=(tensor.Name() or b"").decode("utf-8", "replace"),
        shape=tuple(tensor.Shape(axis) for axis in range(tensor.ShapeLength())),
        dtype=dtypes.get(tensor.Type(), "unknown"),
        is_constant=_is_constant(model, tensor),
        scale=_scale(tensor.Quantization()),
    )


def _is_constant(model: Any, tensor: Any) -> bool:
    buffer = model.Buffers(tensor.Buffer())
    # Files beyond 2 GB keep the bytes behind the flatbuffer: only Offset tells.
    return bool(buffer is not None and (buffer.DataLength() or buffer.Offset()))


def _scale(quantization: Any) -> str | None:
    if quantization is None or not quantization.ScaleLength():
        return None
    scales = [quantization.Scale(place) for place in range(quantization.ScaleLength())]
    zero_points = [quantization.ZeroPoint(place) for place in range(quantization.ZeroPointLength())]
    return f"{scales} {zero_points}"


def _operator(bindings: Any, operator: Any) -> TfliteOperator:
    transposed = False
    if operator.BuiltinOptionsType() == bindings.BuiltinOptions.BatchMatMulOptions:
        options = bindings.BatchMatMulOptions()
        table = operator.BuiltinOptions()
        options.Init(table.Bytes, table.Pos)
        transposed = bool(options.AdjX())
    return TfliteOperator(
        inputs=tuple(operator.Inputs(place) for place in range(operator.InputsLength())),
        outputs=tuple(operator.Outputs(place) for place in range(operator.OutputsLength())),
        left_transposed=transposed,
    )


def _bytes_by_dtype(model: Any, dtypes: Mapping[int, str]) -> dict[str, int]:
    buffers: dict[int, tuple[str, int]] = {}
    for graph_place in range(model.SubgraphsLength()):
        graph = model.Subgraphs(graph_place)
        for place in range(graph.TensorsLength()):
            tensor = graph.Tensors(place)
            if _is_constant(model, tensor):
                dtype = dtypes.get(tensor.Type(), "unknown")
                elements = math.prod(tensor.Shape(axis) for axis in range(tensor.ShapeLength()))
                buffers[tensor.Buffer()] = (dtype, (elements * _bits(dtype) + 7) // 8)
    sizes: dict[str, int] = {}
    for dtype, size_bytes in buffers.values():
        sizes[dtype] = sizes.get(dtype, 0) + size_bytes
    return dict(sorted(sizes.items(), key=lambda item: (-item[1], item[0])))


def _bits(dtype: str) -> int:
    if dtype in _BITS_32:
        return 32
    return 16 if dtype in _BITS_16 else _BITS.get(dtype, 8)
