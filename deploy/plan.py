"""What one export is to do: everything decided, nothing done yet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from condmix.deploy.loading import Loading
from condmix.deploy.output_names import OutputNames
from condmix.exporters.options import ExportOptions
from condmix.runtime.tolerance import Tolerance


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One export to ONNX. `command_line` goes into the record as it was typed."""

    loading: Loading
    output: OutputNames
    options: ExportOptions
    tolerance: Tolerance
    images: Path | None
    overwrite: bool
    command_line: tuple[str, ...]
