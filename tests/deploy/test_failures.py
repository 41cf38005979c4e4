"""The boundary: every failure becomes a text and an exit code."""

from __future__ import annotations

import json
from collections.abc import Callable

import click
import pytest

from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.failures import describe, explained
from condmix.exporters.errors import CaptureError


def _command(fail: Callable[[], ExitCode]) -> click.Command:
    @click.command()
    @click.option("--json", "as_json", is_flag=True)
    @click.option("--verbose", is_flag=True)
    @explained
    def command(as_json: bool, verbose: bool) -> ExitCode:
        del as_json, verbose
        return fail()

    return command


def _raising(error: BaseException) -> Callable[[], ExitCode]:
    def fail() -> ExitCode:
        raise error

    return fail


def test_the_code_that_a_command_returns_is_the_processes() -> None:
    assert _command(lambda: ExitCode.PARITY).main([], standalone_mode=False) == 5


def test_a_failure_is_told_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert _command(_raising(CaptureError("no graph"))).main([], standalone_mode=False) == 3
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "condmix: no graph\n")


def test_with_json_it_is_an_object_on_stdout_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert _command(_raising(CaptureError("no graph"))).main(["--json"], standalone_mode=False) == 3
    record = json.loads(capsys.readouterr().out)
    assert record == {
        "schema_version": 1,
        "kind": "condmix-failure",
        "exit_code": 3,
        "error": {"type": "CaptureError", "message": "no graph", "codes": ["CAPTURE"]},
    }


def test_an_unforeseen_failure_shows_its_traceback_only_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert _command(_raising(ZeroDivisionError("by zero"))).main([], standalone_mode=False) == 1
    quiet = capsys.readouterr().err
    assert quiet.splitlines()[0] == "condmix: unexpected: ZeroDivisionError: by zero"
    assert "--verbose" in quiet
    assert "Traceback" not in quiet
    _command(_raising(ZeroDivisionError("by zero"))).main(["--verbose"], standalone_mode=False)
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (ModuleNotFoundError("x", name="rich"), 8, "the package 'rich' is not installed"),
        (ModuleNotFoundError("x", name="condmix.gone"), 1, "unexpected"),
        (MemoryError(), 1, "the memory did not suffice"),
        (PermissionError(13, "Permission denied", "a/b"), 1, "a/b: Permission denied"),
        (OSError(5, "Input/output error"), 1, "unexpected: OSError"),
        (ValueError(), 1, "unexpected: ValueError\n"),
    ],
)
def test_failures_that_are_not_ours(error: Exception, code: int, text: str) -> None:
    found, message = describe(error)
    assert found == code
    assert text in message


@pytest.mark.parametrize("error", [KeyboardInterrupt(), BrokenPipeError(32, "Broken pipe"), click.UsageError("x")])
def test_what_the_front_door_handles_passes(error: BaseException) -> None:
    with pytest.raises((click.Abort, SystemExit, click.UsageError, BrokenPipeError)):
        _command(_raising(error)).main([], standalone_mode=False)
