"""The texts of deploy's errors: place, finding, next step."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from condmix.deploy.errors import ImagesError, OutputError, PlanError


def _os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def test_a_full_disk_says_so_and_what_to_do(tmp_path: Path) -> None:
    text = str(OutputError(tmp_path / "a.onnx", _os_error(errno.ENOSPC)))
    assert text == (
        f"{tmp_path}/a.onnx: cannot be written: No space left on device. "
        f"Free space on the disk of {tmp_path}, or choose another folder with -o."
    )


def test_an_absent_folder_is_to_be_made(tmp_path: Path) -> None:
    text = str(OutputError(tmp_path / "absent" / "a.onnx", _os_error(errno.ENOENT)))
    assert f"mkdir -p {tmp_path}/absent" in text


def test_a_refusing_folder_is_to_be_left(tmp_path: Path) -> None:
    text = str(OutputError(tmp_path / "a.onnx", _os_error(errno.EACCES)))
    assert text.endswith("Permission denied. Choose a folder you can write to with -o.")


def test_an_error_without_words_still_says_something() -> None:
    assert "OSError" in str(OutputError(Path("a.onnx"), OSError()))


def test_all_problems_stand_below_the_summary() -> None:
    assert str(PlanError("wrong:", ["a", "b"])) == "wrong:\n  - a\n  - b"
    assert str(ImagesError(Path("i"), ["a", "b"])) == "i: cannot be used for verification\n  - a\n  - b"


def test_images_say_what_they_cannot_be_used_for() -> None:
    assert str(ImagesError("my.module:images", ["a"], purpose="calibration")) == (
        "my.module:images: cannot be used for calibration\n  - a"
    )
