"""How a given program is refused: the codes of docs/refusals.md, all problems at once."""

from __future__ import annotations

from condmix.exporters.errors import ProgramInputError


def refused(place: str, code: str, problem: str) -> ProgramInputError:
    """The error for one problem."""
    return ProgramInputError(place, ((code, problem),))


def first_line(error: BaseException) -> str:
    """What a library says first, shortened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]
