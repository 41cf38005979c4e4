"""A file for any height and width says at which it was made, and tools take that one unless they are told."""

from __future__ import annotations

import json

import pytest

from condmix.runtime.image_size import METADATA_KEY, given_size, with_usual_size
from condmix.runtime.signature import TensorSpec


def said(given: object) -> dict[str, str]:
    return {METADATA_KEY: json.dumps({"given": given, "step": 1})}


def spec(*shape: int | str) -> TensorSpec:
    return TensorSpec(name="input", shape=shape, dtype="float32")


def test_the_given_size_is_read() -> None:
    assert given_size(said("24x320")) == (24, 320)


@pytest.mark.parametrize(
    "metadata",
    [{}, said("24"), said("0x24"), said(None), said("24x24x3"), {METADATA_KEY: "{"}, {METADATA_KEY: "[1]"},
     {METADATA_KEY: "[" * 100_000}, {METADATA_KEY: " " * (1 << 17)}],
)  # fmt: skip
def test_what_is_no_size_says_nothing(metadata: dict[str, str]) -> None:
    assert given_size(metadata) is None
    assert with_usual_size(spec(1, 3, "height", "width"), metadata).usual is None


@pytest.mark.parametrize(
    ("shape", "usual"),
    [
        ((1, 3, "height", "width"), (1, 3, 24, 32)),
        (("batch", 3, "height", "width"), (1, 3, 24, 32)),
        ((4, 3, "height", "width"), (4, 3, 24, 32)),
        ((1, 3, 24, 32), None),
        ((1, "channels", "height", "width"), None),
        (("batch", 16), None),
    ],
)
def test_an_image_input_gets_it(shape: tuple[int | str, ...], usual: tuple[int, ...] | None) -> None:
    before = spec(*shape)
    after = with_usual_size(before, said("24x32"))
    assert after.usual == usual
    assert after == before
    assert after.to_dict() == before.to_dict()
