"""Flags about what goes into a network and comes out of it: names of inputs and outputs, inputs beside the image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., object])


class NameList(click.ParamType[tuple[str, ...]]):
    """Names with commas between."""

    name = "names"

    def convert(
        self, value: str | tuple[str, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """The names in their order. What is wrong with them the network tells, all at once."""
        if isinstance(value, tuple):
            return value
        names = tuple(name.strip() for name in value.split(","))
        if not any(names):
            self.fail(f"{value!r} holds no name: expected NAME[,NAME...]", param, ctx)
        return names


_NAMING_OPTIONS: tuple[Callable[[Any], Any], ...] = (  # click's decorators take any function
    click.option(
        "--output-names",
        metavar="NAME[,...]",
        type=NameList(),
        help="Names of the outputs, in order; the network's own (dictionary keys, fields) if left out.",
    ),
    click.option(
        "--input-names",
        metavar="NAME[,...]",
        type=NameList(),
        help="Names of the inputs, in order; input for the image if left out.",
    ),
)


def naming_options(command: Command) -> Command:
    """Adds the flags about inputs and outputs."""
    for option in reversed(_NAMING_OPTIONS):
        command = option(command)
    return command
