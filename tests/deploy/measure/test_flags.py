"""Lists of numbers and shares, and how the rest is refused."""

from __future__ import annotations

import click
import pytest

from condmix.deploy.measure.elsewhere import TFLITE_RUNTIME
from condmix.deploy.measure.flags import TFLITE_ENGINES, EngineList, NumberList, ShareText
from condmix.runtime.bench import subject


@pytest.mark.parametrize(("typed", "numbers"), [("1", (1,)), ("4, 1", (4, 1)), ((2,), (2,))])
def test_numbers_stay_in_the_order_typed(typed: str | tuple[int, ...], numbers: tuple[int, ...]) -> None:
    assert NumberList().convert(typed, None, None) == numbers


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("0", "'0' is no list of numbers of at least 1: expected N or N,N, such as 1,4"),
        ("1;2", "'1;2' is no list of numbers of at least 1: expected N or N,N, such as 1,4"),
        ("all", "'all' is no list of numbers of at least 1: expected N or N,N, such as 1,4"),
        ("1,", "'1,' is no list of numbers of at least 1: expected N or N,N, such as 1,4"),
        ("²", "'²' is no list of numbers of at least 1: expected N or N,N, such as 1,4"),
        ("2,1,2", "given twice: 2"),
    ],
)
def test_what_is_no_list_is_refused(typed: str, message: str) -> None:
    with pytest.raises(click.BadParameter) as caught:
        NumberList().convert(typed, None, None)
    assert caught.value.message == message


@pytest.mark.parametrize(("typed", "share"), [("5%", 0.05), ("0.05", 0.05), ("0%", 0.0), ("150%", 1.5), (0.1, 0.1)])
def test_shares(typed: str | float, share: float) -> None:
    assert ShareText().convert(typed, None, None) == pytest.approx(share)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("5", "'5' could be 100 times less: write 5%, or a number below 1"),
        ("-5%", "'-5%' is no share: expected a percentage such as 5%, or a number below 1"),
        ("five", "'five' is no share: expected a percentage such as 5%, or a number below 1"),
    ],
)
def test_what_is_no_share_is_refused(typed: str, message: str) -> None:
    with pytest.raises(click.BadParameter) as caught:
        ShareText().convert(typed, None, None)
    assert caught.value.message == message


def test_engines_of_tflite_files() -> None:
    assert TFLITE_ENGINES == (subject.LITERT, subject.TFLITE_RUNTIME) == ("litert", TFLITE_RUNTIME)
    assert EngineList().convert("tflite-runtime, litert", None, None) == ("tflite-runtime", "litert")
    for typed, message in (
        ("litert,onnxruntime", "'onnxruntime' is no engine for .tflite files: expected litert, tflite-runtime"),
        ("litert,litert", "'litert,litert' names one twice"),
    ):
        with pytest.raises(click.BadParameter) as caught:
            EngineList().convert(typed, None, None)
        assert caught.value.message == message
