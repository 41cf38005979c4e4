"""What one export is to do: everything decided, nothing done yet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from condmix.deploy.errors import PlanError
from condmix.deploy.format_choices import FormatChoices
from condmix.deploy.loading import Loading
from condmix.deploy.output_names import OutputNames
from condmix.deploy.tolerances import Tolerances
from condmix.deploy.tune.plan import TunePlan
from condmix.exporters.tune.forms_file import FormsFile


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One export to one format or several. `command_line` goes into the record as it was typed.

    Raises PlanError without any format, or when the formats disagree about the batch.
    """

    loading: Loading
    output: OutputNames
    choices: FormatChoices
    tolerances: Tolerances
    images: Path | None
    overwrite: bool
    command_line: tuple[str, ...]
    tuning: TunePlan | None = None
    """How the ONNX file's forms are found by measurement; None for the written rule, or forms of a file."""
    forms_file: FormsFile | None = None
    """Where the forms in `choices` come from."""

    def __post_init__(self) -> None:
        batches = {options.batch for options in (self.choices.onnx, self.choices.tflite) if options is not None}
        if len(batches) != 1:
            found = ", ".join(sorted(map(str, batches))) or "none"
            summary = "an export writes at least one format, and all formats for one batch:"
            raise PlanError(summary, [f"found these batches: {found}"])

    @property
    def batch(self) -> int | None:
        """Images a call, None for any number."""
        if self.choices.onnx is not None:
            return self.choices.onnx.batch
        assert self.choices.tflite is not None
        return self.choices.tflite.batch
