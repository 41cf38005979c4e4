"""What a file says of its input, and what can be told of one that says nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from condmix.deploy.evaluate.intake import Intake, intake_of, metadata_of
from condmix.models.preprocessing import Preprocessing
from condmix.runtime.artifact import Format
from condmix.runtime.errors import ModelUnreadableError
from condmix.runtime.signature import Signature, TensorSpec
from tests.deploy.evaluate.conftest import CLASSES, METADATA, write_onnx, write_tflite


def signature(*shapes: tuple[int | str, ...]) -> Signature:
    inputs = tuple(TensorSpec(name=f"x{place}", shape=shape, dtype="float32") for place, shape in enumerate(shapes))
    return Signature(inputs=inputs, outputs=(TensorSpec(name="y", shape=(1, 2), dtype="float32"),))


def test_metadata_of_ours_say_everything(tmp_path: Path) -> None:
    metadata, weights = metadata_of(write_onnx(tmp_path / "a.onnx"), Format.ONNX)
    found = intake_of(metadata, signature((1, 1, 4, 4)))
    assert isinstance(found, Intake)
    assert found.input_size == (1, 4, 4)
    assert found.preprocessing == Preprocessing.default(1)
    assert found.says_preprocessing
    assert found.class_names == CLASSES
    assert weights == ()


def test_a_tflite_file_of_somebody_else_says_nothing(tmp_path: Path) -> None:
    assert metadata_of(write_tflite(tmp_path / "a.tflite"), Format.TFLITE) == ({}, ())


def test_weights_beside_an_onnx_file_are_found(tmp_path: Path) -> None:
    assert metadata_of(write_onnx(tmp_path / "a.onnx", external=True), Format.ONNX)[1] == ("a.data",)


def test_a_damaged_onnx_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"\xff" * 40)
    with pytest.raises(ModelUnreadableError, match=r"a\.onnx"):
        metadata_of(tmp_path / "a.onnx", Format.ONNX)


@pytest.mark.parametrize(
    ("shape", "size"),
    [(("N", 3, 32, 40), (3, 32, 40)), ((1, 32, 40, 3), (3, 32, 40)), ((8, 1, 28, 28), (1, 28, 28))],
)
def test_the_size_of_a_strange_file_follows_from_its_input(
    shape: tuple[int | str, ...], size: tuple[int, int, int]
) -> None:
    found = intake_of({}, signature(shape))
    assert isinstance(found, Intake)
    assert (found.input_size, found.says_preprocessing, found.class_names) == (size, False, None)


@pytest.mark.parametrize(
    ("shapes", "said"),
    [
        ([(1, 3, "H", "W")], "with a fixed size of an image"),
        ([(1, 10)], "expected (images, channels, height, width)"),
        ([(1, 7, 9, 8)], "no axis has the 1 or 3 channels of a picture"),
        ([(1, 3, 4, 4), (1, 2)], "it has 2 inputs (x0, x1): expected one, for images"),
    ],
)
def test_an_input_that_takes_no_images_is_refused(shapes: list[tuple[int | str, ...]], said: str) -> None:
    found = intake_of({}, signature(*shapes))
    assert isinstance(found, str)
    assert said in found


@pytest.mark.parametrize(
    "text", ['{"mean": [0.5]}', '{"mean": [0.5], "std": [0]}', '{"mean": [0], "std": [1], "x": 1}']
)
def test_a_preprocessing_that_is_not_understood_is_refused(text: str) -> None:
    found = intake_of({**METADATA, "preprocessing": text}, signature((1, 1, 4, 4)))
    assert isinstance(found, str)
    assert "a preprocessing that is not understood" in found


def test_metadata_that_are_no_json_say_nothing() -> None:
    found = intake_of({"preprocessing": "{", "class_names": "["}, signature((1, 1, 4, 4)))
    assert isinstance(found, Intake)
    assert not found.says_preprocessing
    assert found.class_names is None
