"""--input-size: H, HxW, CxHxW."""

from __future__ import annotations

import pytest

from condmix.deploy.input_size import RequestedSize, parse_input_size


@pytest.mark.parametrize(
    ("text", "channels", "height", "width"),
    [
        ("224", None, 224, 224),
        ("160x224", None, 160, 224),
        ("3x160x224", 3, 160, 224),
        ("3,160,224", 3, 160, 224),
        (" 1x32x32 ", 1, 32, 32),
    ],
)
def test_every_spelling(text: str, channels: int | None, height: int, width: int) -> None:
    assert parse_input_size(text) == RequestedSize(channels=channels, height=height, width=width)


@pytest.mark.parametrize("text", ["", "x", "224x", "x224", "1x3x224x224", "-3", "2.5", "224 x 224", "big"])
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="expected H, HxW or CxHxW, such as 224"):
        parse_input_size(text)


@pytest.mark.parametrize("text", ["0", "0x32", "3x32x0", "70000"])
def test_impossible_sides_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected 1 to 65536"):
        parse_input_size(text)


def test_what_is_left_out_is_the_networks_own() -> None:
    size = RequestedSize(channels=None, height=16, width=24)
    assert size.complete is None
    assert size.for_channels(3) == (3, 16, 24)
    assert RequestedSize(channels=1, height=16, width=24).complete == (1, 16, 24)
    assert str(size) == "16x24"
    assert str(RequestedSize(channels=1, height=16, width=24)) == "1x16x24"
