"""How many bits an element takes, under the names of either format."""

from __future__ import annotations

import math
from collections.abc import Sequence

_BITS = {
    64: ("double", "float64", "int64", "uint64", "complex64"),
    32: ("float", "float32", "int32", "uint32"),
    16: ("float16", "bfloat16", "int16", "uint16"),
    128: ("complex128",),
    4: ("int4", "uint4", "float4e2m1"),
    2: ("int2", "uint2"),
}
_OF_DTYPE = {dtype: bits for bits, dtypes in _BITS.items() for dtype in dtypes}


def size_bytes(dtype: str, shape: Sequence[int]) -> int:
    """Of an array, packed; types that are not known here count one byte an element."""
    return (math.prod(shape) * _OF_DTYPE.get(dtype, 8) + 7) // 8
