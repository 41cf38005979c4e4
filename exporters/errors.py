"""Everything condmix.exporters raises. Deriving classes say when; the command line maps them to exit codes."""

from __future__ import annotations


class ExportError(ValueError):
    """Base of all errors raised while a network is turned into a file."""


class CaptureError(ExportError):
    """torch could not capture the network (exit code 3: the input was not understood)."""


class NotExportableError(ExportError):
    """A construct of the network has no exact form for what was asked (exit code 4).

    `problems` holds one sentence per place, so that all of them are shown at once.
    """

    def __init__(self, summary: str, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join((summary, *(f"  - {problem}" for problem in problems))))


class GraphError(ExportError):
    """A graph does not have the form that a step relies on (a defect of ours, or a damaged file)."""


class OptionsError(ExportError):
    """Two export options contradict each other, or one is out of range (exit code 2)."""


class VerificationError(ExportError):
    """A stage could not be compared at all, for example because the reference is not finite."""


class CalibrationError(ExportError):
    """Calibration data or saved ranges cannot be used (exit code 3: the input was not understood)."""
