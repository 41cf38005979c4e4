"""Images of the user's own for verification."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from condmix.deploy.errors import ImagesError
from condmix.deploy.images import MOST_IMAGES, read_images
from condmix.models.network import LoadedNetwork


def _picture(path: Path, seed: int, mode: str = "RGB") -> None:
    shape = (40, 50) if mode == "L" else (40, 50, len(mode))
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    Image.fromarray(pixels, mode=None).convert(mode).save(path)


def test_a_folder_is_read_in_order_and_preprocessed(tmp_path: Path, network: LoadedNetwork) -> None:
    for index, mode in enumerate(("RGB", "L", "RGBA")):
        _picture(tmp_path / f"{index}.png", index, mode)
    (tmp_path / "notes.txt").write_text("not a picture")
    given = read_images(tmp_path, network, batch=1)
    assert given.array_nchw.shape == (3, 1, 32, 32)
    assert given.array_nchw.dtype == np.float32
    with Image.open(tmp_path / "1.png") as image:
        pixels = np.asarray(image)[..., np.newaxis]
    expected = network.preprocessing.apply(pixels, input_size=network.input_size)
    assert np.array_equal(given.array_nchw[1], expected)
    assert given.note == f"verified on 3 of 3 pictures in {tmp_path.name}"


def test_of_many_pictures_some_from_everywhere_are_taken(tmp_path: Path, network: LoadedNetwork) -> None:
    array = np.zeros((100, 1, 32, 32), np.float32) + np.arange(100, dtype=np.float32).reshape(-1, 1, 1, 1)
    np.save(tmp_path / "many.npy", array)
    given = read_images(tmp_path / "many.npy", network, batch=None)
    taken = given.array_nchw[:, 0, 0, 0]
    assert len(taken) == MOST_IMAGES
    assert (taken[0], taken[-1]) == (0, 99)
    assert (np.diff(taken) > 0).all()
    assert given.note == "verified on 16 of 100 images in many.npy"


def test_every_damaged_picture_is_named(tmp_path: Path, network: LoadedNetwork) -> None:
    _picture(tmp_path / "0.png", 0)
    (tmp_path / "1.png").write_bytes(b"no picture")
    (tmp_path / "2.png").write_bytes((tmp_path / "0.png").read_bytes()[:200])
    with pytest.raises(ImagesError) as caught:
        read_images(tmp_path, network, batch=1)
    assert [problem.split(":")[0] for problem in caught.value.problems] == ["1.png", "2.png"]


@pytest.mark.parametrize(
    ("array", "problem"),
    [
        (np.zeros((4, 1, 32, 32), np.uint8), "holds uint8: expected float32"),
        (np.zeros((4, 3, 32, 32), np.float32), r"has shape \(4, 3, 32, 32\): expected \(count, 1, 32, 32\)"),
        (np.zeros((32, 32), np.float32), "has shape"),
        (np.full((4, 1, 32, 32), np.nan, np.float32), "holds NaN or infinity"),
        (np.zeros((1, 1, 32, 32), np.float32), "holds 1 images: expected at least 2"),
    ],
)
def test_an_array_that_does_not_fit_is_refused(
    tmp_path: Path, network: LoadedNetwork, array: np.ndarray, problem: str
) -> None:
    np.save(tmp_path / "images.npy", array)
    with pytest.raises(ImagesError, match=problem):
        read_images(tmp_path / "images.npy", network, batch=1)


def test_a_dynamic_batch_needs_as_many_images_as_it_is_proven_for(tmp_path: Path, network: LoadedNetwork) -> None:
    np.save(tmp_path / "images.npy", np.zeros((7, 1, 32, 32), np.float32))
    with pytest.raises(ImagesError, match="holds 7 images: expected at least 8, as many as the largest batch"):
        read_images(tmp_path / "images.npy", network, batch=None)


def test_an_array_of_objects_is_not_run(tmp_path: Path, network: LoadedNetwork) -> None:
    np.save(tmp_path / "images.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ImagesError, match="is not a NumPy array of numbers"):
        read_images(tmp_path / "images.npy", network, batch=1)


@pytest.mark.parametrize("name", ["absent", "file.txt"])
def test_what_is_neither_is_refused(tmp_path: Path, network: LoadedNetwork, name: str) -> None:
    (tmp_path / "file.txt").touch()
    with pytest.raises(ImagesError, match=r"expected a folder of pictures, a \.npy or a \.npz file, found"):
        read_images(tmp_path / name, network, batch=1)


def test_an_empty_folder_is_refused(tmp_path: Path, network: LoadedNetwork) -> None:
    with pytest.raises(ImagesError, match="holds 0 pictures"):
        read_images(tmp_path, network, batch=1)


def test_an_archive_brings_every_input_of_an_image(tmp_path: Path, network: LoadedNetwork) -> None:
    inputs = {"photo": network.input_size, "context": (5,)}
    several = dataclasses.replace(network, input_shapes=inputs)
    generator = np.random.default_rng(0)
    arrays = {name: generator.standard_normal((4, *shape)).astype(np.float32) for name, shape in inputs.items()}
    np.savez(tmp_path / "mine.npz", **arrays)  # type: ignore[arg-type]
    given = read_images(tmp_path / "mine.npz", several, batch=1)
    np.testing.assert_array_equal(given.array_nchw["context"], arrays["context"])
    np.testing.assert_array_equal(given.array_nchw["photo"], arrays["photo"])
    assert given.note == "verified on 4 of 4 images in mine.npz"
    with pytest.raises(ImagesError, match="expected at least 8"):
        read_images(tmp_path / "mine.npz", several, batch=None)
    arrays["context"][2] = np.inf
    np.savez(tmp_path / "mine.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(ImagesError, match="image 2: NaN or infinity in context"):
        read_images(tmp_path / "mine.npz", several, batch=1)
