"""Member names are plain file names on every system."""

from __future__ import annotations

import os
from pathlib import Path, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.runtime.bundle.member_name import doubled, name_problem


@pytest.mark.parametrize("name", ["net.onnx", "MODEL_CARD.md", "größe 2.tflite", "a-b_c+1.condmix.json", "controls.md"])
def test_plain_names_pass(name: str) -> None:
    assert name_problem(name) is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "empty"),
        ("/etc/passwd", "absolute path"),
        ("\\\\server\\share", "absolute path"),
        ("C:net.onnx", "absolute path"),
        ("../net.onnx", "leads out"),
        ("a/../../net.onnx", "leads out"),
        ("..\\net.onnx", "leads out"),
        ("folder/net.onnx", "has / in it"),
        ("folder/", "has / in it"),
        ("a\\b", "has \\ in it"),
        ("net.onnx:stream", "has : in it"),
        ("a\nb", "cannot be shown"),
        ("a\x00b", "cannot be shown"),
        ("a\u202egpj", "cannot be shown"),
        ("\ud800", "cannot be shown"),
        (".hidden", "begins with a dot"),
        ("net.", "ends with one"),
        (" net", "begins with a dot or a space"),
        ("e\u0301.onnx", "composed form"),
        ("n" * 201, "longer than 200"),
        ("NUL.onnx", "device on Windows"),
        ("com1", "device on Windows"),
    ],
)
def test_others_are_refused(name: str, words: str) -> None:
    problem = name_problem(name)
    assert problem is not None
    assert words in problem


@given(st.text(max_size=30))
def test_whatever_passes_stays_in_its_folder(name: str) -> None:
    if name_problem(name) is None:
        assert Path(os.path.normpath(Path("/folder") / name)).parent == Path("/folder")
        assert PureWindowsPath(name).name == name
        assert not PureWindowsPath(name).drive


def test_names_that_some_system_takes_for_one() -> None:
    assert doubled(["a", "b"]) == ()
    assert doubled(["a", "A", "b", "a"]) == (("a", "A"), ("a", "a"))
