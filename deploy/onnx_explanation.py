"""What an export would make of an ONNX file that somebody else wrote: convolution by convolution, or why nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from condmix.deploy.input_size import RequestedSize

if TYPE_CHECKING:
    from condmix.exporters.onnx_input.explain import ConvolutionFact

COLUMNS = ("convolution", "taken for", "what", "why")


@dataclass(frozen=True, kw_only=True)
class OnnxExplanation:
    """Every convolution with what it is taken for; or the problems, each (reason code, sentence), that stand before."""

    facts: tuple[ConvolutionFact, ...]
    problems: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {
            "exportable": not self.problems,
            "problems": [{"code": code, "text": text} for code, text in self.problems],
            "convolutions": [dict(fact.to_dict()) for fact in self.facts],
            "notes": list(self.notes),
        }

    def lines(self) -> Iterator[str]:
        """What comes before the table: totals, or the problems."""
        for code, text in self.problems:
            yield f"cannot be exported: {text} [{code}]"
        if not self.problems:
            counts = Counter(fact.taken_for for fact in self.facts)
            yield "convolutions: " + (", ".join(f"{name} x{count}" for name, count in counts.items()) or "none")
        for note in self.notes:
            yield f"note: {note}"


def explain_onnx(
    path: Path, input_size: RequestedSize | None, report_progress: Callable[[str], None]
) -> OnnxExplanation:
    """The explanation of the file at `path`, which is only read."""
    from condmix.exporters.errors import OnnxInputError
    from condmix.exporters.onnx_input.explain import explain
    from condmix.exporters.onnx_input.read import read_onnx

    size = None if input_size is None else (input_size.channels, input_size.height, input_size.width)
    try:
        found = read_onnx(path, size, report_progress)
    except OnnxInputError as error:
        return OnnxExplanation(facts=(), problems=error.problems, notes=())
    report_progress("recognise")
    return OnnxExplanation(facts=explain(found.captured), problems=(), notes=found.notes)
