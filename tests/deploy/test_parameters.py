"""What can be typed, and how the rest is refused."""

from __future__ import annotations

import click
import pytest

from condmix.deploy.parameters import (
    BatchSize,
    InputSizeText,
    NearestChoice,
    NearestChoices,
    SettingText,
    settings_of,
    with_options,
)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("kernal", "'kernal' is not a choice: did you mean 'kernel'? valid: auto, kernel"),
        ("zzz", "'zzz' is not a choice: valid: auto, kernel"),
        ("Kernel", "'Kernel' is not a choice: did you mean 'kernel'? valid: auto, kernel"),
    ],
)
def test_a_wrong_word_is_answered_with_the_right_ones(typed: str, message: str) -> None:
    with pytest.raises(click.BadParameter) as caught:
        NearestChoice(("auto", "kernel")).convert(typed, None, None)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("typed", "words"),
    [("a", ("a",)), ("b,a", ("a", "b")), (" a , b ", ("a", "b")), (("b", "a"), ("a", "b"))],
)
def test_several_words_come_in_the_order_of_the_choices(typed: str | tuple[str, ...], words: tuple[str, ...]) -> None:
    assert NearestChoices(("a", "b")).convert(typed, None, None) == words


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("onnx,", "'' is not a choice: valid: onnx, tflite"),
        ("onnx;tflite", "'onnx;tflite' is not a choice: did you mean 'tflite'? valid: onnx, tflite"),
        ("tflite,onnx,onnx", "given twice: onnx"),
    ],
)
def test_one_wrong_word_among_several_is_refused(typed: str, message: str) -> None:
    with pytest.raises(click.BadParameter) as caught:
        NearestChoices(("onnx", "tflite")).convert(typed, None, None)
    assert caught.value.message == message


@pytest.mark.parametrize(("typed", "batch"), [("1", 1), ("8", 8), ("dynamic", None), (3, 3)])
def test_batches(typed: str | int, batch: int | None) -> None:
    assert BatchSize().convert(typed, None, None) == batch


@pytest.mark.parametrize(
    ("typed", "hint"),
    [("dynamik", "did you mean 'dynamic'?"), ("0", "1 to 1024"), ("2000", "1 to 1024"), ("x", "valid")],
)
def test_no_batches(typed: str, hint: str) -> None:
    with pytest.raises(click.BadParameter) as caught:
        BatchSize().convert(typed, None, None)
    assert hint in caught.value.message


def test_a_wrong_size_is_refused() -> None:
    with pytest.raises(click.BadParameter, match="is not a size"):
        InputSizeText().convert("big", None, None)


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("k=4", 4),
        ("k=0.5", 0.5),
        ("k=true", True),
        ("k=True", True),
        ("k=None", None),
        ("k=null", None),
        ("k=[1, 2]", [1, 2]),
        ("k=(1, 2)", (1, 2)),
        ("k=mixconv", "mixconv"),
        ("k='4'", "4"),
        ("k=a=b", "a=b"),
        ("k=", ""),
        (" k = 4 ", 4),
    ],
)
def test_settings(typed: str, value: object) -> None:
    key, found = SettingText().convert(typed, None, None)
    assert key == "k"
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("typed", ["experts", "=4", " =4"])
def test_no_settings(typed: str) -> None:
    with pytest.raises(click.BadParameter, match="expected key=value, such as experts=4"):
        SettingText().convert(typed, None, None)


def test_a_setting_given_twice_is_refused() -> None:
    context, parameter = click.Context(click.Command("x")), click.Option(["--set"])
    assert settings_of(context, parameter, [("a", 1), ("b", 2)]) == {"a": 1, "b": 2}
    with pytest.raises(click.BadParameter, match="given twice: a"):
        settings_of(context, parameter, [("a", 1), ("a", 1)])


def test_flags_are_listed_in_the_order_of_their_options() -> None:
    flags = ("--first", "--second", "--third")

    def command() -> None: ...

    complete = click.command()(with_options(command, [click.option(flag) for flag in flags]))
    assert [parameter.opts for parameter in complete.params] == [[flag] for flag in flags]
