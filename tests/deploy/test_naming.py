"""Flags about inputs and outputs: read as typed, refused with what would do."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from condmix.deploy.naming import naming_options


@click.command()
@naming_options
def command(**values: object) -> None:
    for name, value in sorted(values.items()):
        click.echo(f"{name} {value}")


def told(*arguments: str) -> str:
    return CliRunner().invoke(command, list(arguments)).output


def test_nothing_typed_is_nothing_asked() -> None:
    assert told() == "input_names None\nmore_inputs {}\noutput_names None\n"


def test_names_and_shapes_are_read_in_order() -> None:
    text = told("--output-names", "b, a", "--input-names=x", "--extra-input", "c=16", "--extra-input", "m=1x8x8")
    assert text == "input_names ('x',)\nmore_inputs {'c': (16,), 'm': (1, 8, 8)}\noutput_names ('b', 'a')\n"


@pytest.mark.parametrize("text", ["context", "context=", "=16", "context=0", "context=4x", "context=1.5", "1a=3"])
def test_what_is_no_input_is_refused(text: str) -> None:
    assert f"'{text}' is no input: expected NAME=SHAPE of one image, such as context=16" in told("--extra-input", text)


def test_an_input_given_twice_is_refused() -> None:
    assert "given twice: a" in told("--extra-input", "a=1", "--extra-input", "a=2")


def test_no_name_at_all_is_refused() -> None:
    assert "holds no name: expected NAME[,NAME...]" in told("--output-names", " ,")
