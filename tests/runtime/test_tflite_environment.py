import shlex
import sys
from pathlib import Path

import pytest

from condmix.runtime import tflite_environment
from condmix.runtime.errors import EnvironmentMissingError
from condmix.runtime.tflite_environment import (
    find_python,
    install,
    install_line,
    last_lines,
    missing_python,
    python_problem,
    site_problems,
    site_versions,
)
from tests.runtime.tflite_sites import add_metadata


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_a_folder_that_is_not_there(tmp_path: Path):
    assert site_problems(tmp_path / "no") == (f"there is no folder '{tmp_path / 'no'}' with its packages",)


def test_an_empty_folder_lacks_both(tmp_path: Path):
    assert site_problems(tmp_path) == (f"tflite-runtime is not in '{tmp_path}'", f"numpy is not in '{tmp_path}'")


def test_numpy_2_is_refused_though_the_import_would_pass(tmp_path: Path):
    add_metadata(tmp_path, "tflite-runtime", "2.14.0")
    add_metadata(tmp_path, "numpy", "2.4.6")
    assert site_problems(tmp_path) == (
        f"numpy 2.4.6 is in '{tmp_path}', expected numpy below 2: "
        "tflite-runtime can be imported beside it but fails at every file",
    )
    assert site_versions(tmp_path) == {"tflite-runtime": "2.14.0", "numpy": "2.4.6"}


def test_a_folder_with_both(tmp_path: Path):
    add_metadata(tmp_path, "tflite_runtime", "2.14.0")
    add_metadata(tmp_path, "numpy", "1.26.4")
    assert site_problems(tmp_path) == ()


def test_a_python_that_fits_and_others(tmp_path: Path):
    assert python_problem(script(tmp_path / "fits", "echo 3 10")) is None
    newer = script(tmp_path / "newer", "echo 3 12")
    assert python_problem(newer) == f"'{newer}' is Python 3.12, and tflite-runtime has wheels for 3.9 to 3.11 only"
    launcher = script(tmp_path / "launcher", "echo command not found >&2; exit 127")
    assert python_problem(launcher) == f"'{launcher}' does not start: command not found"
    assert str(python_problem(tmp_path / "no")).startswith(f"'{tmp_path / 'no'}' does not start: [Errno 2]")


def test_the_python_is_this_one_or_the_newest_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(script(tmp_path / "python", "echo 3 13")))
    assert find_python() is None
    oldest = script(tmp_path / "python3.9", "echo 3 9")
    script(tmp_path / "python3.11", "exit 1")
    assert find_python() == oldest
    newest = script(tmp_path / "python3.11", "echo 3 11")
    assert find_python() == newest
    script(tmp_path / "python", "echo 3 10")
    assert find_python() == tmp_path / "python"
    assert missing_python() == "no Python of 3.9 to 3.11 was found, and its wheels end there"


def test_the_install_line_is_for_a_shell(tmp_path: Path):
    words = shlex.split(install_line(tmp_path / "my site"))
    assert words[:4] == ["python3.11", "-m", "pip", "install"]
    assert words[-4:] == ["--target", str(tmp_path / "my site"), "tflite-runtime==2.14.0", "numpy<2"]
    assert "--only-binary=:all:" in words
    assert shlex.split(install_line(tmp_path, Path("/opt/python")))[0] == "/opt/python"


def test_installing_hands_pip_that_line(tmp_path: Path):
    python = script(tmp_path / "python", f'printf "%s\\n" "$@" > {shlex.quote(str(tmp_path / "arguments"))}')
    install(tmp_path / "site", python, timeout_seconds=30)
    arguments = (tmp_path / "arguments").read_text().splitlines()
    assert [str(python), *arguments] == shlex.split(install_line(tmp_path / "site", python))


@pytest.mark.parametrize(
    ("text", "timeout_seconds", "reason"),
    [
        ("echo ERROR: No matching wheel >&2; exit 1", 30, "pip could not install it: ERROR: No matching wheel"),
        ("exec sleep 30", 0.2, "pip had not finished after 0.2 s"),
    ],
)
def test_a_pip_that_fails_is_reported(tmp_path: Path, text: str, timeout_seconds: float, reason: str):
    python = script(tmp_path / "python", text)
    with pytest.raises(EnvironmentMissingError) as caught:
        install(tmp_path / "site", python, timeout_seconds=timeout_seconds)
    assert reason in str(caught.value)
    assert caught.value.install_line == install_line(tmp_path / "site", python)


def test_a_pip_that_does_not_start_is_reported(tmp_path: Path):
    with pytest.raises(EnvironmentMissingError, match="pip does not start"):
        install(tmp_path / "site", tmp_path / "no python", timeout_seconds=30)


def test_only_the_end_of_long_complaints_is_kept():
    assert last_lines("\n".join(f" line {number} \n" for number in range(9))) == " / ".join(
        f"line {number}" for number in range(3, 9)
    )
    assert last_lines(" \n") == "it said nothing"


def test_the_requirements_name_the_version_that_was_tested():
    assert tflite_environment.REQUIREMENTS == ("tflite-runtime==2.14.0", "numpy<2")
