"""What can be typed: types that refuse with the nearest valid word, and flags that commands share."""

from __future__ import annotations

import ast
import difflib
import importlib.metadata
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from condmix.deploy.exit_codes import MEANINGS
from condmix.deploy.input_size import RequestedSize, parse_input_size

MOST_IMAGES_A_CALL = 1024
Command = TypeVar("Command", bound=Callable[..., object])


class NearestChoice(click.ParamType[str]):
    """One of some words; another one is refused with the nearest of them, then all."""

    name = "choice"

    def __init__(self, choices: Sequence[str]) -> None:
        self.choices = tuple(choices)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002 - click's signature
        """The words, as --help shows them."""
        return "|".join(self.choices)

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word itself. Fails with what would have been right."""
        if value in self.choices:
            return value
        valid = ", ".join(self.choices)
        nearest = difflib.get_close_matches(value, self.choices, n=1, cutoff=0.4)
        hint = f"did you mean {nearest[0]!r}? " if nearest else ""
        self.fail(f"{value!r} is not a choice: {hint}valid: {valid}", param, ctx)


class NearestChoices(click.ParamType[tuple[str, ...]]):
    """Some of a few words, with commas between; unknown ones are refused with the nearest, and none may come twice."""

    name = "choices"

    def __init__(self, choices: Sequence[str]) -> None:
        self.choices = tuple(choices)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002 - click's signature
        """The words and how to join them, as --help shows them."""
        return f"{'|'.join(self.choices)}[,...]"

    def convert(
        self, value: str | tuple[str, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """The words in the order of the choices, whatever order they were typed in."""
        words = value if isinstance(value, tuple) else tuple(word.strip() for word in value.split(","))
        one = NearestChoice(self.choices)
        for word in words:
            one.convert(word, param, ctx)
        twice = sorted({word for word in words if words.count(word) > 1})
        if twice:
            self.fail(f"given twice: {', '.join(twice)}", param, ctx)
        return tuple(choice for choice in self.choices if choice in words)


class BatchSize(click.ParamType[int | None]):
    """A number of images, or None for `dynamic`."""

    name = "batch"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002 - click's signature
        """As --help shows it."""
        return "N|dynamic"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        """The number, None for dynamic."""
        if value == "dynamic":
            return None
        try:
            number = int(value)
        except ValueError:
            hint = "did you mean 'dynamic'? " if difflib.get_close_matches(str(value), ["dynamic"], cutoff=0.4) else ""
            self.fail(f"{value!r} is not a batch: {hint}valid: 1 to {MOST_IMAGES_A_CALL}, or dynamic", param, ctx)
        if not 1 <= number <= MOST_IMAGES_A_CALL:
            self.fail(f"{number} is not a batch: valid: 1 to {MOST_IMAGES_A_CALL}, or dynamic", param, ctx)
        return number


class InputSizeText(click.ParamType[RequestedSize]):
    """H, HxW or CxHxW."""

    name = "size"

    def convert(
        self, value: str | RequestedSize, param: click.Parameter | None, ctx: click.Context | None
    ) -> RequestedSize:
        """The size."""
        if isinstance(value, RequestedSize):
            return value
        try:
            return parse_input_size(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class SettingText(click.ParamType[tuple[str, object]]):
    """key=value, the value in JSON or Python notation, any other text as it is."""

    name = "key=value"

    def convert(
        self, value: str | tuple[str, object], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, object]:
        """The key and the value."""
        if isinstance(value, tuple):
            return value
        key, equals, text = value.partition("=")
        if not equals or not key.strip():
            self.fail(f"{value!r} is not a setting: expected key=value, such as experts=4", param, ctx)
        return key.strip(), _plain_value(text.strip())


def settings_of(
    context: click.Context, parameter: click.Parameter, pairs: Sequence[tuple[str, object]]
) -> dict[str, object]:
    """The settings by key; one that is given twice is refused."""
    twice = sorted({key for key, _ in pairs if sum(other == key for other, _ in pairs) > 1})
    if twice:
        message = f"given twice: {', '.join(twice)}"
        raise click.BadParameter(message, ctx=context, param=parameter)
    return dict(pairs)


def exit_code_epilog(*examples: str) -> str:
    """The end of a --help page: examples, then the exit codes. Lines stay as they are."""
    codes = [f"{int(code):>5}  {meaning}" for code, meaning in MEANINGS.items()]
    return "\n".join(["\b", "Examples:", *(f"  {example}" for example in examples), "", "\b", "Exit codes:", *codes])


_LOADING_OPTIONS: tuple[Callable[[Any], Any], ...] = (  # click's decorators take any function
    click.option(
        "--arch",
        "architecture",
        metavar="NAME|timm:NAME",
        help="Network of the weights, where the file does not say: a name of `condmix zoo`, or one of timm.",
    ),
    click.option("--factory", metavar="PACKAGE.MODULE:FUNCTION", help="Your own function that builds the network."),
    click.option(
        "--set",
        "settings",
        multiple=True,
        type=SettingText(),
        callback=settings_of,
        help="Setting of the architecture, such as experts=4; may be given several times.",
    ),
    click.option("--input-size", metavar="H|HxW|CxHxW", type=InputSizeText(), help="Size of one image."),
    click.option("--allow-pickle", is_flag=True, help="Run the file's pickle if it needs that: it can do anything."),
)
_OUTPUT_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout and nothing else there."),
    click.option("-q", "--quiet", is_flag=True, help="No progress."),
    click.option("-v", "--verbose", is_flag=True, help="More detail; a traceback for unexpected errors."),
)


def _print_version(context: click.Context, _parameter: click.Parameter, given: bool) -> None:
    if given and not context.resilient_parsing:
        click.echo(f"condmix {importlib.metadata.version('condmix')}")
        context.exit()


version_option = click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Print the version.",
)
model_argument = click.argument("model", metavar="MODEL", type=click.Path(path_type=Path))


def loading_options(command: Command) -> Command:
    """Adds the flags that say what a weights file is."""
    return with_options(command, _LOADING_OPTIONS)


def output_options(command: Command) -> Command:
    """Adds --json, --quiet and --verbose."""
    return with_options(command, _OUTPUT_OPTIONS)


def with_options(command: Command, options: Sequence[Callable[[Any], Any]]) -> Command:
    """The command with the flags, which --help lists in this order: click takes the last decorator first."""
    for option in reversed(options):
        command = option(command)
    return command


def _plain_value(text: str) -> object:
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError):
            continue
    return text
