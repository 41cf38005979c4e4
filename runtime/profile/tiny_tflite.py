"""TFLite files of one matrix product, to see what a core can do in LiteRT.

LiteRT's own bindings of the format, and flatbuffers with them, are imported when a file is made.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

import numpy as np

from condmix.runtime.errors import EngineMissingError, one_line
from condmix.runtime.litert_session import ENGINE, EXTRA

BINDINGS = "ai_edge_litert.schema_py_generated"
INT8_SCALE = 1 / 128


def matrix_product(weight_nk: np.ndarray[Any, Any], rows: int) -> bytes:
    """y[rows, n] = x[rows, k] @ weight.T by FULLY_CONNECTED, all float32 or all int8 after the weight.

    Raises EngineMissingError without LiteRT or flatbuffers.
    """
    schema, flatbuffers = (_import(name) for name in (BINDINGS, "flatbuffers"))
    outputs, depth = weight_nk.shape
    kind = schema.TensorType.INT8 if weight_nk.dtype == np.int8 else schema.TensorType.FLOAT32
    graph, model, code, operator = schema.SubGraphT(), schema.ModelT(), schema.OperatorCodeT(), schema.OperatorT()
    stored = schema.BufferT()
    stored.data = np.frombuffer(weight_nk.tobytes(), np.uint8)
    shapes = {"x": (rows, depth), "w": (outputs, depth), "y": (rows, outputs)}
    graph.tensors = [_tensor(schema, name, shape, kind, int(name == "w")) for name, shape in shapes.items()]
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.FULLY_CONNECTED
    code.version = 4 if weight_nk.dtype == np.int8 else 1
    operator.inputs, operator.outputs = [0, 1, -1], [2]
    operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    operator.builtinOptions = schema.FullyConnectedOptionsT()
    graph.operators, graph.inputs, graph.outputs = [operator], [0], [2]
    model.version, model.subgraphs, model.operatorCodes, model.buffers = 3, [graph], [code], [schema.BufferT(), stored]
    builder = flatbuffers.Builder(weight_nk.nbytes + 1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _tensor(schema: ModuleType, name: str, shape: tuple[int, int], kind: int, buffer: int) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer = name, list(shape), kind, buffer
    if kind == schema.TensorType.INT8:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale, tensor.quantization.zeroPoint = [INT8_SCALE], [0]
    return tensor


def _import(name: str) -> Any:  # generated code without types
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise EngineMissingError(ENGINE, EXTRA, one_line(error)) from error
