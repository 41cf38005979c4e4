"""What may still be made of a whole network after its forms: one more way to write it, measured like the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.records import LayerForm

if TYPE_CHECKING:
    import onnx_ir as ir

PORTABLE, BLOCKED = "portable", "blocked"
"""Nothing more is made of it; laid out for the machine that writes it."""


@dataclass(frozen=True, kw_only=True)
class Finisher:
    """refuse: why it cannot be used at that batch, None when it can.

    write: (rewritten graph, batch, opset, forms) -> content of a file.
    """

    name: str
    refuse: Callable[[BatchAxis], str | None]
    write: Callable[[ir.Model, BatchAxis, int, Sequence[LayerForm]], bytes]
