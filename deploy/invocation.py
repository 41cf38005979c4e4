"""How the process was called: what commands need to know beyond their own parameters."""

from __future__ import annotations

from dataclasses import dataclass, field

import click

from condmix.deploy.interrupts import Interrupts


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """The command line as typed, and whether Ctrl-C was pressed meanwhile."""

    command_line: tuple[str, ...] = ()
    interrupts: Interrupts = field(default_factory=Interrupts)


def current_invocation() -> Invocation:
    """That of the command that runs now; an empty one where a command was called without the front door."""
    found = click.get_current_context().find_object(Invocation)
    return Invocation() if found is None else found
