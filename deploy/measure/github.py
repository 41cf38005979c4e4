"""What GitHub Actions shows of a run: annotations, and a page of the job's summary.

Escaping as in the runner's own workflow commands: '%', carriage return and line feed in a message, and ':' and ','
as well in a property. The runner reads commands on stderr too, so stdout stays free for --json.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from condmix.deploy.measure.errors import PlaceError
from condmix.deploy.measure.gate_result import GateOutcome, GateResult

SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"
_LEVELS: Mapping[GateOutcome, str] = {
    GateOutcome.PASSED: "notice",
    GateOutcome.FAILED: "error",
    GateOutcome.NOT_JUDGED: "error",
}


def annotation_lines(
    verdict: Sequence[tuple[str, str]], failures: Mapping[str, str], gates: Sequence[GateResult]
) -> list[str]:
    """One line for each finding of the verdict, (word, reason), each subject that failed and each gate.

    VALID is a notice, other verdicts are warnings; a failed subject or gate is an error.
    """
    lines = [
        annotation("notice" if word == "VALID" else "warning", f"condmix bench: {word}", reason)
        for word, reason in verdict
    ]
    lines += [annotation("error", f"condmix bench: {name} failed", reason) for name, reason in failures.items()]
    for result in gates:
        about = result.gate if result.subject is None else f"{result.gate} for {result.subject}"
        lines.append(annotation(_LEVELS[result.outcome], f"{about} {result.outcome}", result.sentence))
    return lines


def annotation(level: str, title: str, message: str) -> str:
    """The workflow command that shows the message; level: notice, warning or error."""
    return f"::{level} title={_property(title)}::{_data(message)}"


def append_summary(markdown: str) -> Path | None:
    """The page stands at the end of the job's summary, whose path is returned; None outside GitHub Actions.

    Raises PlaceError when the file that GitHub names takes nothing.
    """
    name = os.environ.get(SUMMARY_VARIABLE)
    if not name:
        return None
    path = Path(name)
    try:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(markdown.rstrip("\n") + "\n\n")
    except OSError as error:
        raise PlaceError(path, error, named_by=SUMMARY_VARIABLE) from error
    return path


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
