"""How a gate ended for one subject. What cannot be judged does not pass."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class GateOutcome(StrEnum):
    """How it ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_JUDGED = "cannot be judged"


@dataclass(frozen=True, kw_only=True)
class GateResult:
    """One gate and one subject. gate: as typed. subject: None for a gate on the whole report.

    sentence: the figure, the limit and, where it is missing, why.
    """

    gate: str
    subject: str | None
    outcome: GateOutcome
    sentence: str

    @property
    def fails(self) -> bool:
        """Whether the command ends with the exit code for latency."""
        return self.outcome is not GateOutcome.PASSED

    def line(self) -> str:
        """The result in one line."""
        about = self.gate if self.subject is None else f"{self.gate}  {self.subject}"
        return f"[{'ok' if self.outcome is GateOutcome.PASSED else self.outcome}] {about}: {self.sentence}"

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {
            "gate": self.gate,
            "subject": self.subject,
            "outcome": str(self.outcome),
            "sentence": self.sentence,
        }


def failed(results: Iterable[GateResult]) -> tuple[GateResult, ...]:
    """Those that fail the command."""
    return tuple(result for result in results if result.fails)
