"""Flags about what goes into a network and comes out of it: names of inputs and outputs, inputs beside the image."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import click

from condmix.deploy.parameters import Command, with_options

_EXTRA = re.compile(r"([A-Za-z_][A-Za-z0-9_.]*)=([1-9][0-9]{0,5}(?:x[1-9][0-9]{0,5}){0,4})")


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


class ExtraInput(click.ParamType[tuple[str, tuple[int, ...]]]):
    """NAME=SHAPE, the lengths with x between."""

    name = "input"

    def convert(
        self, value: str | tuple[str, tuple[int, ...]], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, tuple[int, ...]]:
        """The name and the shape of one, without the batch axis."""
        if isinstance(value, tuple):
            return value
        found = _EXTRA.fullmatch(value)
        if found is None:
            self.fail(
                f"{value!r} is no input: expected NAME=SHAPE of one image, such as context=16 or mask=1x32x32",
                param,
                ctx,
            )
        return found[1], tuple(int(length) for length in found[2].split("x"))


def extra_inputs_of(
    context: click.Context, parameter: click.Parameter, pairs: Sequence[tuple[str, tuple[int, ...]]]
) -> dict[str, tuple[int, ...]]:
    """The shapes by name; a name that is given twice is refused."""
    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        message = f"given twice: {', '.join(twice)}"
        raise click.BadParameter(message, ctx=context, param=parameter)
    return dict(pairs)


extra_input_option = click.option(
    "--extra-input",
    "more_inputs",
    multiple=True,
    metavar="NAME=SHAPE",
    type=ExtraInput(),
    callback=extra_inputs_of,
    help="What the forward takes behind the image, such as context=16; may be given several times.",
)
_NAMING_OPTIONS: tuple[Callable[[Any], Any], ...] = (  # click's decorators take any function
    extra_input_option,
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
    return with_options(command, _NAMING_OPTIONS)
