"""ONNX files of one matrix product, written as bytes: the onnx package is not needed to see what a core can do.

The fields are those of onnx.proto3; a message is a list of (field number, value), values being integers or bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

Fields = Iterable[tuple[int, int | bytes]]
FLOAT, UINT8, INT8, INT32 = 1, 2, 3, 6
_OF_DTYPE = {"float32": FLOAT, "uint8": UINT8, "int8": INT8, "int32": INT32}
_IR_VERSION, _OPSET = 8, 13
_LENGTH_DELIMITED = 2


def matrix_product(weight_kn: np.ndarray[Any, Any], rows: int, *, input_dtype: str, output_dtype: str) -> bytes:
    """y[rows, n] = x[rows, k] @ weight: MatMul of floats, MatMulInteger of bytes."""
    depth, columns = weight_kn.shape
    operator = "MatMul" if input_dtype == "float32" else "MatMulInteger"
    node = _message([(1, b"x"), (1, b"w"), (2, b"y"), (4, operator.encode())])
    stored = _message(
        [
            *((1, length) for length in weight_kn.shape),
            (2, _OF_DTYPE[weight_kn.dtype.name]),
            (8, b"w"),
            (9, weight_kn.tobytes()),
        ]
    )
    graph = _message(
        [
            (1, node),
            (2, b"product"),
            (5, stored),
            (11, _value("x", input_dtype, (rows, depth))),
            (12, _value("y", output_dtype, (rows, columns))),
        ]
    )
    opset = _message([(1, b""), (2, _OPSET)])
    return _message([(1, _IR_VERSION), (7, graph), (8, opset)])


def _value(name: str, dtype: str, shape: Iterable[int]) -> bytes:
    axes = _message([(1, _message([(1, length)])) for length in shape])
    tensor = _message([(1, _OF_DTYPE[dtype]), (2, axes)])
    return _message([(1, name.encode()), (2, _message([(1, tensor)]))])


def _message(fields: Fields) -> bytes:
    parts = []
    for number, value in fields:
        if isinstance(value, int):
            parts.append(_varint(number << 3) + _varint(value))
        else:
            parts.append(_varint(number << 3 | _LENGTH_DELIMITED) + _varint(len(value)) + value)
    return b"".join(parts)


def _varint(number: int) -> bytes:
    groups = []
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*groups, number])
