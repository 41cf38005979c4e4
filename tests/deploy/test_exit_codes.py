"""Every failure that explains itself has an exit code, and the more special class decides."""

from __future__ import annotations

import pytest

from condmix.deploy.errors import DeployError
from condmix.deploy.exit_codes import CODE_OF_FAILURE, MEANINGS, ExitCode, code_of
from condmix.exporters.errors import (
    CalibrationError,
    CaptureError,
    ExportError,
    GraphError,
    NotExportableError,
    OptionsError,
    VerificationError,
)
from condmix.models.errors import ModelError, OptionalPackageError, UnknownArchitectureError
from condmix.runtime.errors import EngineMissingError, InvalidSettingError


def _all_below(kind: type) -> set[type]:
    return {kind}.union(*(_all_below(below) for below in kind.__subclasses__()))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OptionsError("x"), 2),
        (InvalidSettingError(["x"], record="Tolerance"), 2),
        (UnknownArchitectureError("x", []), 3),
        (CaptureError("x"), 3),
        (CalibrationError("x"), 3),
        (NotExportableError("x", ()), 4),
        (VerificationError("x"), 5),
        (GraphError("x"), 1),
        (EngineMissingError("onnxruntime", "onnxruntime", "x"), 8),
        (OptionalPackageError("x"), 8),
    ],
)
def test_the_special_class_decides(error: Exception, code: int) -> None:
    assert code_of(error) == code


@pytest.mark.parametrize("base", [ModelError, ExportError])
def test_every_error_of_models_and_exporters_has_a_code(base: type) -> None:
    kinds = _all_below(base)
    assert len(kinds) > 5
    listed = tuple(kind for kind, _ in CODE_OF_FAILURE)
    assert all(issubclass(kind, listed) for kind in kinds)


def test_every_error_of_deploy_has_a_code() -> None:
    listed = tuple(kind for kind, _ in CODE_OF_FAILURE)
    kinds = {kind for kind in _all_below(DeployError) - {DeployError} if kind.__module__ == DeployError.__module__}
    assert len(kinds) == 4
    assert all(issubclass(kind, listed) for kind in kinds)


def test_no_class_hides_a_more_special_one_behind_it() -> None:
    kinds = [kind for kind, _ in CODE_OF_FAILURE]
    hidden = [
        (before, kind) for index, kind in enumerate(kinds) for before in kinds[:index] if issubclass(kind, before)
    ]
    assert hidden == []


def test_an_unforeseen_failure_has_none() -> None:
    assert code_of(RuntimeError("x")) is None


def test_help_knows_every_code_that_can_happen() -> None:
    returned = {ExitCode.OK, ExitCode.ACCURACY, ExitCode.LATENCY, ExitCode.INTERRUPTED}
    possible = {code for _, code in CODE_OF_FAILURE} | returned
    assert possible == set(MEANINGS)
