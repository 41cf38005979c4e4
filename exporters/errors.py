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


class GivenGraphError(ExportError):
    """Base of refusals of a graph that somebody else wrote (exit code 3: the input was not understood).

    `problems` are sentences by reason code (docs/refusals.md), so that all of them are shown at once.
    """

    def __init__(self, place: str, problems: tuple[tuple[str, str], ...]) -> None:
        self.problems = problems
        self.codes = tuple(dict.fromkeys(code for code, _ in problems))
        super().__init__("\n".join((f"{place}: cannot be exported:", *(f"  - {text} [{c}]" for c, text in problems))))


class OnnxInputError(GivenGraphError):
    """A given ONNX file cannot be read as a network."""


class ProgramInputError(GivenGraphError):
    """A given program of torch (.pt2, TorchScript) cannot be read as a network."""


class TuningDataError(ExportError):
    """Measurements do not fit the candidates they are asked about (a defect of ours, or a damaged record)."""


class FormsFileError(ExportError):
    """A file of forms cannot be used (exit code 3: the input was not understood). `problems` names every one."""

    def __init__(self, place: str, problems: tuple[str, ...]) -> None:
        self.problems = problems
        heading = f"{place}: cannot be used as a file of forms:"
        super().__init__("\n".join((heading, *(f"  - {one}" for one in problems))))
