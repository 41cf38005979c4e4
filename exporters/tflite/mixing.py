"""Mixing kernels of experts: one FULLY_CONNECTED, laid out so that few bytes are read for a kernel element.

The runtime packs the weights of a product with a bias, and in int8 a scale and a sum, for every column; with E experts
a column holds E weights and as much beside them. So several elements share a column: elements i, i + n, i + 2n ... of
the kernel (n columns) are one column with R x E weights, and the routing is spread over the diagonal of R rows, zeros
elsewhere. The product's R rows are then the R parts of the kernel in order. It multiplies by zeros R - 1 times out of
R, which costs less than reading does. Measured on 192x1152 elements, E = 8 (LiteRT 2.3, AVX-512): 4 rows take 0.44 of
one row's time in int8 and 0.66 in float32; 8 rows 0.56 and 1.07.
"""

from __future__ import annotations

import numpy as np

from condmix.exporters.tflite.emitter import Emitter
from condmix.exporters.tflite.model import Quantization, Tensor
from condmix.exporters.tflite.schema import Operator, OptionsUnion

HYBRID_VERSION = 9
"""FULLY_CONNECTED of that version multiplies float rows by int8 weights."""
MOST_ROWS = 4
MOST_WEIGHTS = 32
"""Of a column. Beyond either, multiplying costs more than reading."""
LEAST_ELEMENTS = 1024
"""Of a kernel: smaller ones are not worth the operators that spread a routing."""


def mix(emitter: Emitter, routing: Tensor, experts_ek: np.ndarray, bank: str, role: str = "mix_kernels") -> Tensor:
    """Mixed kernels of experts (experts, kernel elements), one image's behind another's, in some shape of two axes.

    `bank` says how the experts are stored: float32 (also under the name normalised), float16 or int8.
    """
    rows = rows_at_once(routing.shape[0], *experts_ek.shape)
    bank_ke = stored_bank(experts_ek, rows)
    gates = spread(emitter, routing, rows)
    if bank == "int8":
        scale = float(np.abs(bank_ke).max()) / 127.0 or 1.0
        stored = np.clip(np.round(bank_ke / scale), -127, 127).astype(np.int8)
        weight = emitter.constant(stored, "experts", quantization=Quantization(scale=scale))
        return emitter.fully_connected(gates, weight, None, role, version=HYBRID_VERSION)
    weight = emitter.constant(bank_ke.astype(np.float16) if bank == "float16" else bank_ke, "experts")
    if bank == "float16":
        weight = emitter.emit(
            Operator.DEQUANTIZE, [weight], weight.shape, role="experts_as_float", options_type=OptionsUnion.DEQUANTIZE
        )
    return emitter.fully_connected(gates, weight, None, role)


def rows_at_once(images: int, experts: int, elements: int) -> int:
    """Into how many rows a kernel is cut. Several images share what is read for a column: then one."""
    if images > 1 or elements < LEAST_ELEMENTS:
        return 1
    fitting = (rows for rows in (MOST_ROWS, 3, 2) if rows * experts <= MOST_WEIGHTS and not elements % rows)
    return next(fitting, 1)


def stored_bank(experts_ek: np.ndarray, rows: int) -> np.ndarray:
    """Experts (experts, kernel elements) as the weights (columns, rows x experts) of the product."""
    experts, elements = experts_ek.shape
    parts = experts_ek.T.astype(np.float32).reshape(rows, elements // rows, experts)
    return np.ascontiguousarray(parts.transpose(1, 0, 2).reshape(elements // rows, rows * experts))


def spread(emitter: Emitter, routing: Tensor, rows: int) -> Tensor:
    """A routing (1, experts) on the diagonal of (rows, rows x experts); written once for all who ask."""
    if rows == 1:
        return routing
    experts = routing.shape[1]

    def write() -> Tensor:
        parts = [
            emitter.pad(routing, [(0, 0), (row * experts, (rows - 1 - row) * experts)], f"routing_row_{row}")
            for row in range(rows)
        ]
        return emitter.concat(parts, 0, "routing_rows")

    return emitter.once(("spread", id(routing), rows), write)
