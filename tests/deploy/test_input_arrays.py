"""Floats pass as they are, pictures are preprocessed, and everything else says what it is."""

from __future__ import annotations

import numpy as np
import pytest

from condmix.deploy.input_arrays import as_input, input_or_problem, shape_problem
from condmix.models.network import LoadedNetwork


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_preprocessed_floats_are_taken_as_they_are(network: LoadedNetwork, dtype: type) -> None:
    image = np.random.default_rng(0).standard_normal((1, 32, 32)).astype(dtype)
    found = input_or_problem(image, network)
    assert isinstance(found, np.ndarray)
    assert found.dtype == np.float32
    assert np.array_equal(found, image.astype(np.float32))


@pytest.mark.parametrize("shape", [(40, 50, 3), (3, 40, 50), (40, 50, 1), (1, 40, 50)])
def test_raw_pictures_are_preprocessed_whichever_axis_holds_the_channels(
    network: LoadedNetwork, shape: tuple[int, ...]
) -> None:
    picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    last = picture if shape[2] in (1, 3) else picture.transpose(1, 2, 0)
    assert shape_problem(picture.shape, picture.dtype, network) is None
    expected = network.preprocessing.apply(last, input_size=network.input_size)
    assert np.array_equal(as_input(picture, network), expected)


@pytest.mark.parametrize(
    ("image", "problem"),
    [
        (np.zeros((32, 32, 1), np.float32), "channels last: expected (1, 32, 32); move the last axis to the front"),
        (np.zeros((3, 32, 32), np.float32), "has images of shape (3, 32, 32): expected (1, 32, 32); preprocess them"),
        (np.zeros((1, 28, 28), np.float32), "or export for theirs with --input-size"),
        (np.zeros((1, 32, 32), np.float16), "holds float16: expected float32, preprocessed as the network wants it"),
        (np.zeros((1, 32, 32), np.int64), "holds int64"),
        (
            np.zeros((8, 8, 4), np.uint8),
            "has pictures of shape (8, 8, 4): expected (height, width, channels) with 1 or 3",
        ),
        (np.zeros((8, 8), np.uint8), "has pictures of shape (8, 8): expected"),
        (np.zeros((0, 8, 3), np.uint8), "has pictures of shape (0, 8, 3): expected"),
        (np.zeros((3, 8, 3), np.uint8), "which axis holds the channels cannot be told; give float32"),
    ],
)
def test_what_does_not_fit_says_so(network: LoadedNetwork, image: np.ndarray, problem: str) -> None:
    found = input_or_problem(image, network)
    assert isinstance(found, str)
    assert problem in found
