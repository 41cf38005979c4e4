"""Several checks before a measurement of minutes: all are made, and what any of them found is told at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from condmix.deploy.errors import DeployError, OutputError, PlanError, UnreadableFileError
from condmix.deploy.measure.errors import EnginesMissingError

Result = TypeVar("Result")


class Checks:
    """Runs checks and keeps what they raise until `raise_if_any`."""

    def __init__(self) -> None:
        self._errors: list[DeployError | EnginesMissingError] = []

    def run(self, check: Callable[[], Result]) -> Result | None:
        """The result of the check; None when it raised, which is kept."""
        try:
            return check()
        except (PlanError, UnreadableFileError, OutputError, EnginesMissingError) as error:
            self._errors.append(error)
            return None

    def raise_if_any(self) -> None:
        """Nothing was raised. Raises the only error, or one of the gravest kind with the texts of all."""
        if len(self._errors) == 1:
            raise self._errors[0]
        if not self._errors:
            return
        text = "\n".join(str(error) for error in self._errors)
        if any(isinstance(error, UnreadableFileError) for error in self._errors):
            raise UnreadableFileError(text)
        if any(isinstance(error, EnginesMissingError) for error in self._errors):
            raise EnginesMissingError(text, [])
        raise PlanError(text, [])
