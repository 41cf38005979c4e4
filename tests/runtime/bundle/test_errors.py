"""The text of every bundle error: place, member, finding, next step."""

from __future__ import annotations

from pathlib import Path

import pytest

from condmix.runtime.bundle.errors import (
    BundleError,
    DamagedBundleError,
    InvalidManifestError,
    MemberProblem,
    NotABundleError,
    UnpackError,
    UnsafeBundleError,
)
from condmix.runtime.errors import InferenceError


@pytest.mark.parametrize(
    ("kind", "heading", "next_step"),
    [
        (NotABundleError, "it cannot be opened", "Give a file or folder that condmix bundle wrote."),
        (UnsafeBundleError, "it is refused, nothing of it was used", "do not trust it: condmix bundle writes no such"),
        (InvalidManifestError, "its manifest is refused", "Get the bundle again from whoever made it."),
        (DamagedBundleError, "it is damaged or was changed", "Get the bundle again from whoever made it."),
    ],
)
def test_the_text(kind: type[BundleError], heading: str, next_step: str) -> None:
    problems = [MemberProblem(member="a.onnx", text="it is missing"), MemberProblem(member=None, text="it is odd")]
    lines = str(kind(Path("net.zip"), problems)).splitlines()
    assert lines[:3] == [f"bundle 'net.zip': {heading}:", "  - member 'a.onnx': it is missing", "  - it is odd"]
    assert next_step in lines[3]
    assert issubclass(kind, InferenceError)


def test_members_are_told_once() -> None:
    problems = [MemberProblem(member="a", text=text) for text in ("one", "two")]
    assert DamagedBundleError(Path("b"), problems).members == ("a",)


def test_where_it_cannot_be_unpacked() -> None:
    assert str(UnpackError(Path("out"), "it exists", "Choose another.")) == (
        "out: the bundle cannot be unpacked there: it exists. Choose another."
    )
