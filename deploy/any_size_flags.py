"""What --dynamic-size cannot stand beside."""

from __future__ import annotations

from collections.abc import Sequence

from condmix.deploy.errors import PlanError
from condmix.deploy.format_choices import ONNX, FormatFlags
from condmix.exporters.sizes.choice import no_tflite

SINGLE_SIZE = {
    "tune": "measures forms at one size: give --forms of such a run",
    "images": "is about one size: leave it out",
}


def check_any_size(formats: Sequence[str], flags: FormatFlags) -> None:
    """Nothing happens unless --dynamic-size meets what has one size. Raises PlanError or NotExportableError."""
    if not flags.dynamic_size:
        return
    if tuple(formats) != (ONNX,):
        raise no_tflite()
    problems = [f"--{name} {why}" for name, why in SINGLE_SIZE.items() if name in flags.typed]
    if problems:
        summary = "these flags contradict --dynamic-size:"
        raise PlanError(summary, problems)
