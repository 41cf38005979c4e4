"""Sets with boxes: written and read back, whose order of classes, and everything that is wrong at once."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from condmix.deploy.detect.detection_set import read_detection_set, write_detection_set
from condmix.deploy.detect.location import is_detection_set
from condmix.deploy.errors import ImagesError, OutputError
from condmix.deploy.evaluate.intake import Intake
from condmix.models.detection_data import PREPROCESSING, DetectionPictures, PictureMaker
from condmix.models.preprocessing import Preprocessing


@pytest.fixture(scope="module")
def made() -> DetectionPictures:
    return PictureMaker(held_out=False).make(5, side=48, seed=0)


@pytest.fixture
def folder(made: DetectionPictures, tmp_path: Path) -> Path:
    write_detection_set(tmp_path / "set", made)
    return tmp_path / "set"


def test_what_is_written_is_read(folder: Path, made: DetectionPictures) -> None:
    known = read_detection_set(folder, None)
    assert is_detection_set(folder)
    assert known.class_names == made.class_names
    for truth, boxes, labels in zip(known.truth, made.boxes, made.labels, strict=True):
        np.testing.assert_allclose(truth.boxes_xyxy, boxes, atol=1e-4)
        assert truth.classes.tolist() == labels.tolist()
    intake = Intake(
        input_size=(3, 48, 48), preprocessing=PREPROCESSING, says_preprocessing=True, class_names=made.class_names
    )
    np.testing.assert_array_equal(known.inputs(intake), made.inputs(PREPROCESSING, (3, 48, 48)))


def test_classes_are_numbered_as_the_network_numbers_them(folder: Path, made: DetectionPictures) -> None:
    turned = tuple(reversed(made.class_names))
    known = read_detection_set(folder, (*turned, "hexagon"))
    assert known.class_names == (*turned, "hexagon")
    for truth, labels in zip(known.truth, made.labels, strict=True):
        assert truth.classes.tolist() == (4 - labels).tolist()


def test_a_network_that_cuts_pictures_is_refused(folder: Path) -> None:
    intake = Intake(
        input_size=(3, 48, 48), preprocessing=Preprocessing.default(3), says_preprocessing=True, class_names=None
    )
    with pytest.raises(ImagesError, match="the network cuts pictures"):
        read_detection_set(folder, None).inputs(intake)


def test_everything_wrong_is_named_at_once(tmp_path: Path) -> None:
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": 10, "height": 10}, {"id": 2, "file_name": "../b.png"}],
        "annotations": [
            {"image_id": 9, "category_id": 1, "bbox": [0, 0, 1, 1]},
            {"image_id": 1, "category_id": 7, "bbox": [0, 0, 1, 1]},
            {"image_id": 1, "category_id": 1, "bbox": [0, 0, -1, 1]},
            {"image_id": 1, "category_id": 1, "bbox": "everywhere"},
        ],
        "categories": [{"id": 1, "name": "cat"}, {"name": "dog"}],
    }
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    with pytest.raises(ImagesError) as caught:
        read_detection_set(tmp_path, ["dog"])
    assert caught.value.problems == (
        "categories[1]: expected id (a whole number) and name",
        "the network has no class cat; its classes are dog",
        "images[1]: expected id, file_name (of images/, no path), width and height",
        "annotations[0]: image_id 9 is no image of the file",
        "annotations[1]: category_id 7 is no category of the file",
        "annotations[2]: category_id 1 is no category of the file",
        "annotations[3]: category_id 1 is no category of the file",
    )
    with pytest.raises(ImagesError, match=r"annotations\[2\]: bbox is \[0, 0, -1, 1\], expected x, y, width, height"):
        read_detection_set(tmp_path, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [("[]", "expected an object with images"), ("{", "is no JSON"), ("{}", "images: expected a list of objects")],
)
def test_a_file_that_holds_no_set_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "annotations.json").write_text(text)
    with pytest.raises(ImagesError, match=said):
        read_detection_set(tmp_path, None)


def test_a_picture_that_cannot_be_read_and_a_folder_that_is_there(folder: Path, made: DetectionPictures) -> None:
    (folder / "images" / "00002.png").write_bytes(b"no picture")
    intake = Intake(input_size=(3, 48, 48), preprocessing=PREPROCESSING, says_preprocessing=True, class_names=None)
    with pytest.raises(ImagesError, match=r"00002.png: cannot identify image file"):
        read_detection_set(folder, None).inputs(intake)
    with pytest.raises(OutputError):
        write_detection_set(folder, made)
    with pytest.raises(ImagesError, match="No such file or directory: expected a folder"):
        read_detection_set(folder / "absent", None)
