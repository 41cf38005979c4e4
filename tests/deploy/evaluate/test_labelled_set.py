"""Labelled images: found, hashed and numbered as the files number their classes, or refused with every reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from condmix.deploy.errors import ImagesError
from condmix.deploy.evaluate.image_reader import array_sha256
from condmix.deploy.evaluate.intake import Intake
from condmix.deploy.evaluate.job import SourceKind
from condmix.deploy.evaluate.labelled_set import LabelledSet, open_labelled_set
from condmix.deploy.evaluate.model_source import sha256_of
from condmix.models.preprocessing import Preprocessing
from tests.deploy.evaluate.conftest import CLASSES, SIDE, arrays_in, silent, write_labelled, write_pictures

INTAKE = Intake(
    input_size=(1, SIDE, SIDE), preprocessing=Preprocessing.default(1), says_preprocessing=True, class_names=CLASSES
)


def opened(path: Path, *intakes: Intake) -> LabelledSet:
    return open_labelled_set(path, intakes or (INTAKE,), len(CLASSES), silent)


def test_a_folder_of_classes(tmp_path: Path) -> None:
    found = opened(write_pictures(tmp_path / "pictures"))
    assert (found.kind, found.path, len(found.images)) == (SourceKind.FOLDER, tmp_path / "pictures", 24)
    first = found.images[0]
    assert (first.name, first.label) == ("cat/000.png", 0)
    assert first.sha256 == sha256_of(tmp_path / "pictures" / "cat" / "000.png")
    assert [image.label for image in found.images] == sorted(image.label for image in found.images)


def test_an_archive_whose_classes_stand_in_another_order(tmp_path: Path) -> None:
    path = write_labelled(tmp_path / "a.npz")
    given = arrays_in(path)
    np.savez(path, **{**given, "class_names": np.array(CLASSES[::-1])})
    found = opened(path)
    assert found.kind is SourceKind.ARRAY
    assert [image.label for image in found.images] == [len(CLASSES) - 1 - label for label in given["labels"]]
    assert found.images[3].name == "image 3"
    assert found.images[3].sha256 == array_sha256(given["images"][3])


def test_the_hash_of_the_set_knows_images_labels_and_order(tmp_path: Path) -> None:
    found = opened(write_labelled(tmp_path / "a.npz"))
    image = found.images[0]
    others = [
        replace(found, images=found.images[1:]),
        replace(found, images=found.images[::-1]),
        replace(found, images=(replace(image, label=(image.label + 1) % 6), *found.images[1:])),
    ]
    assert len({one.sha256 for one in (found, *others)}) == 4
    assert replace(found, images=(replace(image, name="else"), *found.images[1:])).sha256 == found.sha256


def refusal(path: Path, *intakes: Intake) -> str:
    with pytest.raises(ImagesError) as caught:
        opened(path, *intakes)
    assert f"{path}: cannot be used for evaluation" in str(caught.value)
    return str(caught.value)


def test_class_folders_that_are_no_classes_are_named(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "pictures")
    (folder / "hen").rename(folder / "owl")
    assert "1 of 6 class folders are no classes of the network: owl" in refusal(folder)


def test_labels_beyond_the_classes_are_named(tmp_path: Path) -> None:
    path = write_labelled(tmp_path / "a.npz")
    given = arrays_in(path)
    del given["class_names"]
    np.savez(path, **{**given, "labels": given["labels"] + 3})
    assert "labels 6, 7, 8 are no classes of the network: expected 0 to 5" in refusal(path)


def test_images_without_labels_are_refused(tmp_path: Path) -> None:
    path = write_labelled(tmp_path / "a.npz")
    np.savez(path, images=arrays_in(path)["images"])
    assert "has no labels: expected a folder with one folder of pictures a class" in refusal(path)
    folder = write_pictures(tmp_path / "pictures")
    assert "has no labels" in refusal(folder / "cat")


def test_other_paths_are_refused(tmp_path: Path) -> None:
    assert "found no such file or folder" in refusal(tmp_path / "absent")
    (tmp_path / "a.csv").write_text("")
    assert "found a file named .csv" in refusal(tmp_path / "a.csv")


def test_numbers_that_look_wrong_are_refused(tmp_path: Path) -> None:
    path = write_labelled(tmp_path / "a.npz")
    given = arrays_in(path)
    np.savez(path, **{**given, "images": given["images"] * 255})
    assert "they look unnormalised" in refusal(path)
    given["images"][2, 0, 0, 0] = np.nan
    np.savez(path, **given)
    assert "NaN or infinity in 1 images: image 2" in refusal(path)


def test_every_file_must_take_the_images(tmp_path: Path) -> None:
    larger = replace(INTAKE, input_size=(1, 8, 8))
    assert "expected (1, 8, 8)" in refusal(write_labelled(tmp_path / "a.npz"), INTAKE, larger)


def test_pictures_need_a_preprocessing(tmp_path: Path) -> None:
    unsaid = replace(INTAKE, says_preprocessing=False)
    assert "no file says how a picture becomes its input" in refusal(write_pictures(tmp_path / "pictures"), unsaid)
    path = tmp_path / "a.npz"
    np.savez(path, images=np.zeros((2, 8, 8, 1), np.uint8), labels=np.array([0, 1]))
    assert "no file says how a picture becomes its input" in refusal(path, unsaid)
    opened(path)
    assert len(opened(write_labelled(tmp_path / "b.npz"), unsaid).images) == 50
