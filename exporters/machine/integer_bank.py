"""Experts in int8 with 7 bits of routing: products that no CPU saturates, mixed exactly.

The experts of an output channel are divided by their largest element, so that one scale serves the bank. The factor is
given back where it touches fewer numbers: on the mixed kernel, or on the layer's result.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from condmix.exporters.named.condconv import CondConvLayer
from condmix.exporters.quantize.parameters import Affine

LARGEST = 127


@dataclass(frozen=True, kw_only=True, eq=False)
class IntegerBank:
    """experts: int8, (experts, elements); grid: of the routing, 0 to 127.

    Either column_n, what each mixed integer is worth, or factor_o: what each output channel of the layer is worth when
    its kernel stays in integers.
    """

    experts_en: np.ndarray
    grid: Affine
    column_n: np.ndarray | None
    factor_o: np.ndarray | None


def integer_bank(layer: CondConvLayer, grid: Affine) -> IntegerBank:
    """The layer's bank, rounded."""
    experts, out = layer.experts_eoihw.shape[:2]
    rows = layer.experts_eoihw.reshape(experts, -1)
    each = rows.shape[1] // out
    largest_o = np.abs(layer.experts_eoihw).max(axis=(0, 2, 3, 4)).astype(np.float64)
    step_o = np.where(largest_o > 0, largest_o, 1.0) / LARGEST
    experts_en = np.clip(np.rint(rows / np.repeat(step_o, each)), -LARGEST, LARGEST).astype(np.int8)
    worth_o = (step_o * grid.scale).astype(np.float32)
    on_kernel = rows.shape[1] <= int(np.prod(layer.output_chw))
    return IntegerBank(
        experts_en=experts_en,
        grid=grid,
        column_n=np.repeat(worth_o, each) if on_kernel else None,
        factor_o=None if on_kernel else worth_o,
    )
