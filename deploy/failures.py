"""The boundary of the command line: whatever goes wrong inside becomes a text and an exit code."""

from __future__ import annotations

import functools
import json
import traceback
from collections.abc import Callable
from typing import ParamSpec

import click

from condmix.deploy.errors import missing_package
from condmix.deploy.exit_codes import ExitCode, code_of
from condmix.deploy.invocation import current_invocation

SCHEMA_VERSION = 1
P = ParamSpec("P")


def explained(command: Callable[P, ExitCode]) -> Callable[P, None]:
    """The command, ending with the exit code it returns or that of its failure, which is told on stderr.

    With --json the failure is an object on stdout as well; with --verbose a failure that nobody foresaw shows
    its traceback.
    """

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        context = click.get_current_context()
        try:
            code = command(*args, **kwargs)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if current_invocation().interrupts.seen:
                # A library caught the interruption and failed in its own words.
                raise click.Abort from error
            code, message = describe(error)
            if context.params.get("verbose"):
                click.echo(traceback.format_exc(), err=True, nl=False)
            click.echo(f"condmix: {message}", err=True)
            if context.params.get("as_json"):
                click.echo(failure_json(code, type(error).__name__, message, reason_codes(error)))
        context.exit(int(code))

    return run


def describe(error: Exception) -> tuple[ExitCode, str]:
    """The exit code of a failure and its text for the user."""
    code = code_of(error)
    if code is not None:
        return code, str(error)
    if isinstance(error, ModuleNotFoundError) and not (error.name or "").startswith("condmix"):
        return ExitCode.MISSING, missing_package(error)
    if isinstance(error, MemoryError):
        return (
            ExitCode.UNEXPECTED,
            "the memory did not suffice: close other programs, or use a machine with more",
        )
    if isinstance(error, OSError) and error.filename is not None:
        return ExitCode.UNEXPECTED, f"{error.filename}: {error.strerror}: check the path and its permissions"
    text = f"{type(error).__name__}: {error}".rstrip(": ")
    return (
        ExitCode.UNEXPECTED,
        f"unexpected: {text}\n  Run it again with --verbose for the traceback, and report it.",
    )


def reason_codes(error: Exception) -> tuple[str, ...]:
    """The codes of docs/refusals.md that tell why a network was refused; none for a failure of another kind."""
    from condmix.exporters.errors import ExportError
    from condmix.exporters.refusals import codes_of

    return codes_of(error) if isinstance(error, ExportError) else ()


def failure_json(code: ExitCode, kind: str, message: str, reasons: tuple[str, ...] = ()) -> str:
    """A failure for machines. reasons: codes of docs/refusals.md."""
    record = {
        "schema_version": SCHEMA_VERSION,
        "kind": "condmix-failure",
        "exit_code": int(code),
        "error": {"type": kind, "message": message, **({"codes": list(reasons)} if reasons else {})},
    }
    return json.dumps(record, indent=2, ensure_ascii=False)
