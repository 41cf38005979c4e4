"""Every way in which running, comparing or describing a model file can fail.

One base class, `InferenceError`, is all that a caller has to catch. The message states the place, what was
expected, what was found and the next step; problems that were found together are listed together.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def _bulleted(heading: str, problems: Sequence[str]) -> str:
    return "\n".join([heading, *(f"  - {problem}" for problem in problems)])


class InferenceError(RuntimeError):
    """The base of all errors of this folder."""


class InvalidSettingError(InferenceError, ValueError):
    """A record was built from values that cannot stand together; `problems` names every field."""

    def __init__(self, problems: Sequence[str], *, record: str) -> None:
        self.record = record
        self.problems = tuple(problems)
        super().__init__(_bulleted(f"{record} cannot be made:", self.problems))


class InvalidRecordError(InferenceError, ValueError):
    """A dictionary (from JSON, say) is not the record it is read as; `problems` names every key."""

    def __init__(self, problems: Sequence[str], *, record: str) -> None:
        self.record = record
        self.problems = tuple(problems)
        super().__init__(_bulleted(f"this is not a valid {record} record:", self.problems))


class ModelUnreadableError(InferenceError):
    """A model could not be opened: missing, truncated, of another format, or beyond this engine."""

    def __init__(self, place: str, reason: str, next_step: str) -> None:
        self.place = place
        self.reason = reason
        super().__init__(f"{place} cannot be opened: {reason}. {next_step}")


class EngineMissingError(InferenceError):
    """An engine is not installed (or does not load); `install_line` is the command that installs it."""

    def __init__(self, engine: str, extra: str, reason: str) -> None:
        self.engine = engine
        self.install_line = f'pip install "condmix[{extra}]"'
        super().__init__(f"the engine {engine!r} cannot be used: {reason}. Install it with: {self.install_line}")


class EnvironmentMissingError(EngineMissingError):
    """An engine that runs in an environment of its own has none that works; `install_line` builds it."""

    def __init__(self, engine: str, reason: str, install_line: str) -> None:
        self.engine = engine
        self.install_line = install_line
        # Not the constructor of EngineMissingError: its line installs into this very environment.
        InferenceError.__init__(
            self, f"the engine {engine!r} cannot be used: {reason}. Install it with: {install_line}"
        )


class OtherMachineError(EngineMissingError):
    """A model file is for another kind of machine, or for another version of its engine; it is not opened here."""

    def __init__(self, place: str, differences: Sequence[str], next_step: str) -> None:
        self.engine = "onnxruntime"
        self.differences = tuple(differences)
        self.install_line = next_step
        # Not the constructor of EngineMissingError: nothing that could be installed is missing.
        InferenceError.__init__(self, f"{place} is not for this machine: {'; '.join(self.differences)}. {next_step}")


class SignatureMismatchError(InferenceError):
    """The arrays given to a session are not the ones it takes; `problems` has one line for each mismatch."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(_bulleted("the inputs do not fit the model:", self.problems))


class SessionFailedError(InferenceError):
    """The engine gave up while running inputs that fit the signature."""

    def __init__(self, engine: str, place: str, reason: str) -> None:
        self.engine = engine
        self.place = place
        self.reason = reason
        super().__init__(f"{engine} failed while running {place}: {reason}")


class ComparisonImpossibleError(InferenceError, ValueError):
    """What was handed to a comparison proves nothing whatever the numbers are; `problems` says why."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(_bulleted("nothing can be compared:", self.problems))


def describe_place(model: Path | bytes) -> str:
    """The words by which messages name a model given as a path or as bytes."""
    return f"a model of {len(model)} bytes in memory" if isinstance(model, bytes) else f"'{model}'"


LONGEST_WORDS = 600
"""Characters of an engine's own words: LiteRT has a sentence for every tensor that it does not like."""


def one_line(error: Exception) -> str:
    """An engine's first words as a part of our sentence: without line breaks and without its full stop."""
    words = " ".join(str(error).split()).rstrip(".")
    return words if len(words) <= LONGEST_WORDS else f"{words[:LONGEST_WORDS].rstrip()} ..."
