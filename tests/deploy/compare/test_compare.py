"""condmix compare as it is typed: what contradicts itself is told at once, and nothing is left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deploy.conftest import Run, files_in


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "give a weights file, or .onnx and .tflite files"),
        (("net.pt",), 2, "say where with -o FOLDER"),
        (("net.pt", "a.onnx", "-o", "out"), 2, "net.pt is a weights file: give it alone"),
        (("a.onnx", "--calib", "images"), 2, "--calib is about building files from a weights file: leave it out"),
        (("a.onnx", "--set", "experts=2"), 2, "--set is about building files"),
        (("a.onnx", "--arch", "mixnet_s"), 2, "--arch is about building files"),
        (("a.onnx", "--experts", "float16"), 2, "'float16' is not a choice"),
        (("a.onnx", "--threads", "0"), 2, "no list of numbers of at least 1"),
        (("absent.onnx", "absent.tflite"), 3, "absent.tflite"),
        (("absent.pt", "-o", "out"), 3, "absent.pt"),
    ],
)
def test_bad_input_is_told_and_nothing_written(
    condmix: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = condmix("compare", *arguments)
    assert (ran.code, files_in(tmp_path)) == (code, set()), ran.err
    assert said in ran.err


def test_all_problems_at_once(condmix: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = condmix("compare", "a.onnx", "--calib", "x", "--evaluate", "y", "--allow-pickle")
    assert [f"--{name} is about building" in ran.err for name in ("calib", "evaluate", "allow-pickle")] == [True] * 3


def test_images_that_are_wrong_are_told_before_anything_is_built(condmix: Run, weights: Path, tmp_path: Path) -> None:
    ran = condmix("compare", weights, "--calib", "absent", "--evaluate", "gone", "-o", tmp_path / "out")
    assert ran.code == 3
    assert "absent: " in ran.err
    assert "gone: " in ran.err
    assert files_in(tmp_path) == set()


def test_a_file_in_the_way_is_told_before_anything_is_built(condmix: Run, weights: Path, tmp_path: Path) -> None:
    (tmp_path / "comparison.md").write_text("old")
    ran = condmix("compare", weights, "-o", tmp_path)
    assert ran.code == 2
    assert "comparison.md" in ran.err
    assert "condmix: load" not in ran.err
    assert files_in(tmp_path) == {"comparison.md"}
