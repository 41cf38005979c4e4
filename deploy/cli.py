"""The front door: `condmix` and `condmix-export`. Only click is imported here; commands import the rest."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from condmix.deploy.errors import missing_package
from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.interrupts import watched_interrupts

OBJECTS_BETWEEN_COLLECTIONS = 200_000


def main() -> NoReturn:
    """The process ends with the exit code of the command in its arguments."""
    _run_process("condmix")


def export_main() -> NoReturn:
    """The same for `condmix-export`, which is `condmix export`."""
    _run_process("condmix-export")


def _run_process(program: str) -> NoReturn:
    """`run` for a process of its own: Python's cycle collector seldom looks, and nothing is taken apart at the end.

    torch.export and graph passes make millions of objects that live to the end; looking through them time and again
    took a sixth of an export, and taking them apart at exit two seconds more.
    """
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    code = run(sys.argv[1:], program=program)
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def run(arguments: Sequence[str], *, program: str) -> int:
    """The exit code of the command that was typed; all it has to say was said on stdout and stderr."""
    try:
        import click

        from condmix.deploy.commands import root
        from condmix.deploy.invocation import Invocation
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("condmix"):
            raise
        sys.stderr.write(f"{program}: {missing_package(error)}\n")
        return ExitCode.MISSING
    command = root.export if program == "condmix-export" else root.condmix
    try:
        with watched_interrupts() as interrupts:
            invocation = Invocation(command_line=(program, *arguments), interrupts=interrupts)
            code = command.main(list(arguments), prog_name=program, standalone_mode=False, obj=invocation)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        sys.stderr.write(f"{program}: interrupted; nothing was written\n")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has gone. Python would complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.UNEXPECTED
    return code if isinstance(code, int) else ExitCode.OK
