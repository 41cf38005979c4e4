"""Images are read as they were hashed, or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from condmix.deploy.errors import UnreadableFileError
from condmix.deploy.evaluate.errors import NotTheSameError
from condmix.deploy.evaluate.image_reader import array_sha256, read_range, reader_of
from condmix.deploy.evaluate.job import LabelledImage
from condmix.deploy.evaluate.labelled_set import LabelledSet
from condmix.deploy.evaluate.model_source import sha256_of
from condmix.deploy.picture_files import read_picture
from tests.deploy.evaluate.conftest import SIDE, arrays_in, write_labelled, write_pictures
from tests.deploy.evaluate.test_labelled_set import INTAKE, opened


def read(found: LabelledSet, start: int, count: int) -> np.ndarray:
    return read_range(reader_of(found.kind, found.path), start, found.images[start : start + count], INTAKE)


def test_pictures_are_preprocessed(tmp_path: Path) -> None:
    found = opened(write_pictures(tmp_path / "pictures"))
    images = read(found, 4, 3)
    assert images.shape == (3, 1, SIDE, SIDE)
    np.testing.assert_array_equal(images[1], read_picture(found.path / found.images[5].name, INTAKE))


def test_arrays_are_as_they_are(tmp_path: Path) -> None:
    path = write_labelled(tmp_path / "a.npz")
    np.testing.assert_array_equal(read(opened(path), 6, 5), arrays_in(path)["images"][6:11])


def test_all_that_changed_or_went_is_named(tmp_path: Path) -> None:
    found = opened(write_pictures(tmp_path / "pictures"))
    (found.path / found.images[0].name).unlink()
    write_pictures(tmp_path / "others", seed=3)
    (found.path / found.images[1].name).write_bytes((tmp_path / "others" / "cat" / "006.png").read_bytes())
    with pytest.raises(NotTheSameError) as caught:
        read(found, 0, 3)
    assert "000.png: cannot be read: No such file" in str(caught.value)
    assert "006.png is not the image that was hashed at the beginning" in str(caught.value)


def test_a_changed_archive_is_noticed(tmp_path: Path) -> None:
    path = write_labelled(tmp_path / "a.npz")
    found = opened(path)
    write_labelled(path, seed=9)
    with pytest.raises(NotTheSameError, match="image 6, is not the image that was hashed"):
        read(found, 6, 1)
    write_labelled(path, count=3)
    with pytest.raises(NotTheSameError, match="image 6, is not the image"):
        read(found, 6, 1)
    path.unlink()
    with pytest.raises(NotTheSameError, match=r"a\.npz: is not a NumPy archive"):
        read(found, 6, 1)


def test_a_picture_that_is_none_is_named(tmp_path: Path) -> None:
    found = opened(write_pictures(tmp_path, count=3))
    path = tmp_path / "cat" / "000.png"
    path.write_bytes(b"no picture")
    broken = LabelledImage(name="cat/000.png", sha256=sha256_of(path), label=0)
    with pytest.raises(UnreadableFileError, match=r"cat/000\.png: cannot identify image file"):
        read_range(reader_of(found.kind, found.path), 0, [broken], INTAKE)


def test_type_and_shape_are_in_the_hash() -> None:
    one = np.zeros((2, 3), np.float32)
    assert len({array_sha256(one), array_sha256(one.reshape(3, 2)), array_sha256(one.view(np.int32))}) == 3
