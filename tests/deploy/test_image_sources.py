"""Folders, arrays and noise give the same images on every pass, read when asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from condmix.deploy import image_sources
from condmix.deploy.errors import ImagesError
from condmix.deploy.image_sources import FolderSource, ImageSource, RandomSource, npy_source, npz_source
from condmix.models.network import LoadedNetwork


def picture(path: Path, seed: int) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(path)


def arrays(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 1, 32, 32)).astype(np.float32)


def taken(source: ImageSource, *places: int) -> list[np.ndarray]:
    found = [item.found for item in source.items(places)]
    assert all(isinstance(image, np.ndarray) for image in found)
    return found  # type: ignore[return-value]


def test_a_plain_folder_has_no_labels(tmp_path: Path, network: LoadedNetwork) -> None:
    for index in range(3):
        picture(tmp_path / f"{index}.png", index)
    source = FolderSource(tmp_path, network, 10)
    assert source.count == 3
    assert [(item.name, item.label) for item in source.items((0, 2))] == [("0.png", None), ("2.png", None)]


def test_class_folders_are_labels(tmp_path: Path, network: LoadedNetwork) -> None:
    for name in ("7", "3", "3"):
        picture(tmp_path / name / f"{len(list(tmp_path.rglob('*.png')))}.png", 0)
    (tmp_path / "empty").mkdir()
    picture(tmp_path / ".cache" / "hidden.png", 0)
    source = FolderSource(tmp_path, network, 10)
    assert [(item.name, item.label) for item in source.items(range(3))] == [
        ("3/1.png", 3),
        ("3/2.png", 3),
        ("7/0.png", 7),
    ]


def test_class_folders_that_do_not_match_are_refused_unless_labels_are_not_wanted(
    tmp_path: Path, network: LoadedNetwork
) -> None:
    picture(tmp_path / "cat" / "a.png", 0)
    with pytest.raises(ImagesError, match="1 of 1 class folders are no classes of the network: cat"):
        FolderSource(tmp_path, network, 10)
    (item,) = FolderSource(tmp_path, network, 10, use_labels=False).items((0,))
    assert item.label is None


def test_pictures_beside_class_folders_are_refused(tmp_path: Path, network: LoadedNetwork) -> None:
    picture(tmp_path / "a.png", 0)
    picture(tmp_path / "3" / "a.png", 0)
    with pytest.raises(ImagesError, match=r"holds 1 pictures beside class folders \(3\): expected one or the other"):
        FolderSource(tmp_path, network, 10)


def test_an_empty_folder_is_refused_for_calibration(tmp_path: Path, network: LoadedNetwork) -> None:
    with pytest.raises(ImagesError, match="cannot be used for calibration\n  - holds no pictures") as caught:
        FolderSource(tmp_path, network, 10)
    assert ".jpeg" in str(caught.value)


def test_a_damaged_picture_is_an_item_with_its_reason(tmp_path: Path, network: LoadedNetwork) -> None:
    (tmp_path / "a.png").write_bytes(b"no")
    (item,) = FolderSource(tmp_path, network, 10).items((0,))
    assert isinstance(item.found, str)
    assert "cannot identify image file" in item.found


def test_a_npy_stays_on_the_disk(tmp_path: Path, network: LoadedNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    images = arrays(5)
    np.save(tmp_path / "a.npy", images)
    modes = []
    load = np.load
    monkeypatch.setattr(image_sources.np, "load", lambda *a, **k: modes.append(k["mmap_mode"]) or load(*a, **k))
    source = npy_source(tmp_path / "a.npy", network)
    assert modes == ["r"]
    assert source.count == 5
    for _ in range(2):
        assert np.array_equal(taken(source, 1, 4), images[[1, 4]])


def test_raw_pictures_in_a_npy_are_preprocessed(tmp_path: Path, network: LoadedNetwork) -> None:
    raw = np.random.default_rng(0).integers(0, 256, (2, 20, 20, 3), dtype=np.uint8)
    np.save(tmp_path / "a.npy", raw)
    (found,) = taken(npy_source(tmp_path / "a.npy", network), 1)
    assert np.array_equal(found, network.preprocessing.apply(raw[1], input_size=network.input_size))


@pytest.mark.parametrize(
    ("array", "problem"),
    [
        (np.zeros((4, 32, 32, 1), np.float32), "channels last: expected"),
        (np.zeros((4, 1, 28, 28), np.float32), "has images of shape"),
        (np.zeros((32, 32), np.float32), r"has shape \(32, 32\): expected \(count, 1, 32, 32\), or \(count, height"),
        (np.zeros((4, 1, 32, 32), np.int32), "holds int32"),
    ],
)
def test_a_npy_that_does_not_fit_is_refused(
    tmp_path: Path, network: LoadedNetwork, array: np.ndarray, problem: str
) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(ImagesError, match=problem):
        npy_source(tmp_path / "a.npy", network)


def test_objects_and_damaged_arrays_are_not_run(tmp_path: Path, network: LoadedNetwork) -> None:
    np.save(tmp_path / "a.npy", np.array([{}], dtype=object), allow_pickle=True)
    (tmp_path / "b.npy").write_bytes(b"no")
    (tmp_path / "c.npz").write_bytes(b"PK no")
    np.save(tmp_path / "d.npy", arrays(1))
    (tmp_path / "d.npz").write_bytes((tmp_path / "d.npy").read_bytes())
    for name in ("a.npy", "b.npy"):
        with pytest.raises(ImagesError, match="is not a NumPy array of numbers"):
            npy_source(tmp_path / name, network)
    for name in ("c.npz", "d.npz"):
        with pytest.raises(ImagesError, match="is not a NumPy archive of numbers"):
            npz_source(tmp_path / name, network, 10)


def test_a_npz_has_labels_in_the_networks_numbers(tmp_path: Path, network: LoadedNetwork) -> None:
    names = np.array(["9", "0"])
    np.savez(tmp_path / "a.npz", images=arrays(3), labels=np.array([0, 1, 0]), class_names=names)
    source = npz_source(tmp_path / "a.npz", network, 10)
    assert [item.label for item in source.items(range(3))] == [9, 0, 9]
    bare = npz_source(tmp_path / "a.npz", network, 10, use_labels=False)
    assert [item.label for item in bare.items(range(3))] == [None] * 3


def test_everything_wrong_with_a_npz_is_named(tmp_path: Path, network: LoadedNetwork) -> None:
    np.savez(tmp_path / "a.npz", images=np.zeros((3, 1, 8, 8), np.float32), labels=np.array([0, 77, 1]))
    with pytest.raises(ImagesError) as caught:
        npz_source(tmp_path / "a.npz", network, 10)
    assert len(caught.value.problems) == 2
    assert caught.value.problems[1] == "labels 77 are no classes of the network: expected 0 to 9"
    np.savez(tmp_path / "b.npz", pictures=arrays(1))
    with pytest.raises(ImagesError, match="holds pictures: expected an array called images"):
        npz_source(tmp_path / "b.npz", network, 10)


def test_noise_is_the_same_every_time_and_within_the_preprocessing(network: LoadedNetwork) -> None:
    source = RandomSource(5, network)
    first, again = taken(source, 0, 3), taken(source, 0, 3)
    assert np.array_equal(first, again)
    assert not np.array_equal(first[0], first[1])
    assert all(image.shape == (1, 32, 32) and np.abs(image).max() <= 1 for image in first)
