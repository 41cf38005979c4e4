"""Which files are pictures, how they are read, and how few of many are spread."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from condmix.deploy.errors import UnreadableFileError
from condmix.deploy.picture_files import pictures_in, read_picture, spread_evenly
from condmix.models.network import LoadedNetwork


def test_only_pictures_of_the_folder_itself_are_found(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpeg", "notes.txt", ".hidden.png"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "folder.png" / "inside.png").touch()
    assert [picture.name for picture in pictures_in(tmp_path)] == ["a.jpeg", "b.PNG"]


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1"])
def test_every_kind_of_picture_becomes_an_input(tmp_path: Path, network: LoadedNetwork, mode: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(tmp_path / "a.png")
    found = read_picture(tmp_path / "a.png", network)
    assert (found.shape, found.dtype) == (network.input_size, np.float32)
    if mode == "RGB":
        assert np.array_equal(found, network.preprocessing.apply(pixels, input_size=network.input_size))


def test_a_damaged_picture_gives_its_reason(tmp_path: Path, network: LoadedNetwork) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(UnreadableFileError, match="cannot identify image file"):
        read_picture(tmp_path / "a.png", network)


def test_few_of_many_are_spread_over_all() -> None:
    assert spread_evenly(4, 16) == (0, 1, 2, 3)
    assert spread_evenly(100, 4) == (0, 33, 66, 99)
    assert spread_evenly(0, 4) == ()
    assert spread_evenly(1000, 999) == tuple(sorted(set(spread_evenly(1000, 999))))
