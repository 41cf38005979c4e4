"""--inputs: arrays by name, or a text that says what is wrong with the file."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from condmix.deploy.errors import UnreadableFileError
from condmix.deploy.measure.given_inputs import read_given_inputs


def test_arrays_come_by_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", image=np.arange(6).reshape(2, 3))
    assert read_given_inputs(tmp_path / "x.npz")["image"].tolist() == [[0, 1, 2], [3, 4, 5]]


def _write(path: Path, content: object) -> None:
    if content is None:
        return
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, np.ndarray):
        with path.open("wb") as stream:
            np.save(stream, content)
    else:
        assert isinstance(content, dict)
        np.savez(path, **content)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file or directory. Give the path of a readable .npz file."),
        (b"", "it is no .npz archive of numbers"),
        (b"text", "it is no .npz archive of numbers"),
        (b"PK\x03\x04", "it is no .npz archive of numbers"),
        (np.zeros(3), "it is one array without a name. Save it with numpy.savez(FILE, NAME=array)."),
        ({}, "no array is in it"),
        ({"image": np.array(["a"])}, "image is <U1"),
        ({"image": np.array([{"a": 1}])}, "it is no .npz archive of numbers"),
        ({"input/image": np.zeros(3), "output/y": np.zeros(3)}, "it is a reference, with outputs. Give it with --ref"),
    ],
)
def test_what_cannot_be_fed_is_told(tmp_path: Path, content: object, said: str) -> None:
    path = tmp_path / "x.npz"
    _write(path, content)
    with pytest.raises(UnreadableFileError) as caught:
        read_given_inputs(path)
    assert str(caught.value).startswith(f"{path}: cannot be used as inputs: {said}")


def test_a_truncated_archive(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez_compressed(path, image=np.arange(10_000))
    content = bytearray(path.read_bytes())
    content[100:200] = bytes(100)
    path.write_bytes(content)
    with pytest.raises(UnreadableFileError, match="or a damaged one"):
        read_given_inputs(path)


def test_an_array_header_that_numpy_reads_as_python_is_damage_too(tmp_path: Path) -> None:
    header = b"{'descr': (\n"
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(UnreadableFileError, match=r"it is no .npz archive of numbers, or a damaged one"):
        read_given_inputs(path)
