"""Images beside other inputs: read from one archive, checked as a whole, and given row by row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from condmix.deploy.errors import ImagesError
from condmix.deploy.joint_source import joint_arrays, joint_source
from condmix.models.network import LoadedNetwork
from condmix.models.preprocessing import Preprocessing

INPUTS = {"image": (3, 8, 8), "context": (5,)}
NETWORK = LoadedNetwork(
    architecture="test", settings={}, input_size=(3, 8, 8), preprocessing=Preprocessing.default(3), class_names=None,
    source=None, source_sha256=None, notes=(), input_shapes=INPUTS,
)  # fmt: skip
GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.standard_normal((4, 3, 8, 8)).astype(np.float32)
CONTEXT = GENERATOR.standard_normal((4, 5)).astype(np.float32)


def archive(folder: Path, **arrays: np.ndarray) -> Path:
    path = folder / "images.npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("name", ["image", "images"])
def test_rows_of_an_archive(tmp_path: Path, name: str) -> None:
    path = archive(tmp_path, **{name: IMAGES}, context=CONTEXT, labels=np.arange(4))
    source = joint_source(str(path), NETWORK, INPUTS, 3, purpose="calibration")
    assert (source.name, source.count) == ("images.npz", 4)
    found = list(source.items([2, 0]))
    assert [(item.name, item.label) for item in found] == [("image 2", 2), ("image 0", 0)]
    rows = np.stack([item.found for item in found])  # type: ignore[arg-type]
    np.testing.assert_array_equal(rows["context"], CONTEXT[[2, 0]])
    np.testing.assert_array_equal(rows["image"], IMAGES[[2, 0]])


def test_a_number_that_is_not_finite_is_told_with_its_image(tmp_path: Path) -> None:
    broken = CONTEXT.copy()
    broken[1, 2] = np.nan
    source = joint_source(
        str(archive(tmp_path, images=IMAGES, context=broken)), NETWORK, INPUTS, 3, purpose="calibration"
    )
    assert [item.found for item in source.items([1])] == ["NaN or infinity in context"]


def test_everything_that_does_not_fit_is_told_at_once(tmp_path: Path) -> None:
    path = archive(tmp_path, image=IMAGES[:, :, :7], context=CONTEXT[:3].astype(np.int64), labels=np.zeros((2, 2)))
    with pytest.raises(ImagesError) as caught:
        joint_arrays(path, NETWORK, INPUTS, purpose="verification")
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "'image' has images of shape (3, 7, 8)",
        "'context' is int64 of shape (3, 5)",
        "its arrays have different numbers of rows",
        "'labels' is float64 of shape (2, 2)",
    ]
    with pytest.raises(ImagesError, match="expected an array called 'context'"):
        joint_arrays(archive(tmp_path, image=IMAGES), NETWORK, INPUTS, purpose="verification")


def test_random_numbers_are_the_same_every_time() -> None:
    rows = [
        np.stack([item.found for item in joint_source("random", NETWORK, INPUTS, 3, purpose="calibration").items([0])])  # type: ignore[misc]
        for _ in range(2)
    ]
    np.testing.assert_array_equal(rows[0], rows[1])


def test_anything_else_is_refused_with_what_would_do(tmp_path: Path) -> None:
    with pytest.raises(
        ImagesError, match=r"an array for each input: 'image' \(count, 3, 8, 8\), 'context' \(count, 5\)"
    ):
        joint_source(str(tmp_path), NETWORK, INPUTS, 3, purpose="calibration")
    path = tmp_path / "broken.npz"
    path.write_bytes(b"nothing")
    with pytest.raises(ImagesError, match="is not a NumPy archive of numbers"):
        joint_source(str(path), NETWORK, INPUTS, 3, purpose="calibration")
