"""What condmix.deploy.measure raises besides the errors of condmix.deploy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from condmix.deploy.errors import DeployError, OutputError
from condmix.runtime.errors import EngineMissingError, InferenceError


class EnginesMissingError(EngineMissingError):
    """Engines that the files need are not installed; `problems` names every one with the line that installs it."""

    def __init__(self, summary: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        # Not the constructor of EngineMissingError: it speaks of one engine.
        InferenceError.__init__(self, "\n".join((summary, *(f"  - {problem}" for problem in self.problems))))


class PlaceError(OutputError):
    """A file that a flag or the environment names cannot be written; the text says which."""

    def __init__(self, path: Path, error: OSError, *, named_by: str) -> None:
        self.path = path
        # Not the constructor of OutputError: it sends people to -o.
        reason = error.strerror or type(error).__name__
        text = f"{path}: cannot be written: {reason}. It is named by {named_by}: name a place you can write to."
        DeployError.__init__(self, text)
