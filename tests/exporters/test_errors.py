"""What the exporters raise: all problems of a network at once, under one base."""

from __future__ import annotations

import pytest

from condmix.exporters import errors


@pytest.mark.parametrize(
    "name", ["CaptureError", "NotExportableError", "GraphError", "OptionsError", "VerificationError"]
)
def test_one_base_that_is_a_value_error(name: str) -> None:
    error = getattr(errors, name)
    assert issubclass(error, errors.ExportError)
    assert issubclass(error, ValueError)


def test_all_problems_are_shown_and_kept() -> None:
    error = errors.NotExportableError("two layers cannot:", ("a: too wide", "b.c: too deep"))
    assert str(error) == "two layers cannot:\n  - a: too wide\n  - b.c: too deep"
    assert error.problems == ("a: too wide", "b.c: too deep")


def test_no_error_is_another() -> None:
    kinds = [errors.CaptureError, errors.NotExportableError, errors.GraphError, errors.OptionsError]
    assert not any(issubclass(one, other) for one in kinds for other in kinds if one is not other)
