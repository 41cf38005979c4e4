"""A network as a graph at batch 1, whoever wrote it: what every later stage starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import onnx_ir as ir

CAPTURE_OPSET = 18
"""The oldest operator set torch's dynamo exporter writes; older and newer files are converted at the end."""


@dataclass(frozen=True, kw_only=True)
class Tap:
    """A value of the graph that is the output of a PyTorch module, or of a named place in a given ONNX file."""

    value_name: str
    module_path: str


@dataclass(frozen=True, kw_only=True)
class Captured:
    """A network as a graph at batch 1, static shapes, with constants folded."""

    model: ir.Model
    taps: tuple[Tap, ...]
    """Module outputs in the order in which the graph computes them."""
    output_kinds: Mapping[str, str] = field(default_factory=dict)
    """What each output is, in the words of `condmix.runtime.output_kind`, by name."""
