"""Checks that are all made before anything is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from condmix.deploy.errors import DeployError, OutputError, PlanError, UnreadableFileError
from condmix.deploy.exit_codes import ExitCode, code_of
from condmix.deploy.measure.errors import EnginesMissingError
from condmix.deploy.measure.together import Checks

PLAN = PlanError("flags", ["x"])
INPUT = UnreadableFileError("a file")
OUTPUT = OutputError(Path("out"), PermissionError(13, "Permission denied"))
ENGINE = EnginesMissingError("engines", ["y"])


def _raise(error: Exception) -> None:
    raise error


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ([PLAN], ExitCode.USAGE),
        ([OUTPUT], ExitCode.UNEXPECTED),
        ([PLAN, INPUT], ExitCode.INPUT),
        ([OUTPUT, PLAN], ExitCode.USAGE),
        ([PLAN, ENGINE], ExitCode.MISSING),
        ([PLAN, ENGINE, INPUT], ExitCode.INPUT),
    ],
)
def test_all_texts_and_the_gravest_code(errors: list[Exception], code: ExitCode) -> None:
    checks = Checks()
    for error in errors:
        assert checks.run(lambda error=error: _raise(error)) is None
    with pytest.raises((DeployError, EnginesMissingError)) as caught:
        checks.raise_if_any()
    assert str(caught.value) == "\n".join(map(str, errors))
    assert code_of(caught.value) is code


def test_results_pass_through_and_what_nobody_foresaw_too() -> None:
    checks = Checks()
    assert checks.run(lambda: 3) == 3
    checks.raise_if_any()
    with pytest.raises(ZeroDivisionError):
        checks.run(lambda: 1 // 0)
