"""The pool of images, and the user's own."""

from __future__ import annotations

import numpy as np
import pytest

from condmix.exporters.errors import VerificationError
from condmix.exporters.verify.images import Images, candidate_images, user_images


@pytest.mark.parametrize("input_size", [(3, 32, 24), (1, 8, 8), (4, 7, 5)])
def test_the_pool_has_noise_photographs_and_digits_of_any_size(input_size: tuple[int, int, int]) -> None:
    pool = candidate_images(input_size)
    assert pool.array_nchw.shape == (15, *input_size)
    assert pool.array_nchw.dtype == np.float32
    assert np.isfinite(pool.array_nchw).all()
    assert len(pool.sources) == 15
    for word, count in (("noise", 4), ("photograph", 8), ("digit", 3)):
        assert sum(source.startswith(word) for source in pool.sources) == count


def test_the_pool_is_always_the_same() -> None:
    first, second = candidate_images((3, 16, 16)), candidate_images((3, 16, 16))
    assert (first.sha256, first.sources) == (second.sha256, second.sources)
    assert first.sha256 != candidate_images((3, 16, 17)).sha256


def test_no_two_images_are_alike() -> None:
    flat = candidate_images((3, 16, 16)).array_nchw.reshape(15, -1)
    distance = np.abs(flat[:, None] - flat[None]).max(axis=2)
    assert (distance + np.eye(15) > 0.1).all()


def test_values_have_the_size_that_networks_are_fed() -> None:
    pool = candidate_images((3, 32, 32))
    assert 0.2 < pool.array_nchw.std() < 2.0
    assert np.abs(pool.array_nchw).max() < 12


def test_images_are_taken_in_the_order_asked_for() -> None:
    pool = candidate_images((1, 4, 4))
    taken = pool.take((5, 0))
    assert taken.sources == (pool.sources[5], pool.sources[0])
    np.testing.assert_array_equal(taken.array_nchw, pool.array_nchw[[5, 0]])
    assert taken.sha256 != pool.take((0, 5)).sha256


def test_the_hash_is_of_the_pixels_in_any_memory_order() -> None:
    array = np.arange(24, dtype=np.float32).reshape(2, 1, 3, 4)
    turned = np.asfortranarray(array)
    assert Images(array_nchw=array, sources=("a", "b")).sha256 == Images(array_nchw=turned, sources=("c", "d")).sha256


def test_the_users_images_are_used_as_they_are() -> None:
    array = np.random.default_rng(0).standard_normal((3, 1, 4, 4))
    images = user_images(array, (1, 4, 4))
    assert images.sources == ("given 0", "given 1", "given 2")
    assert images.array_nchw.dtype == np.float32
    np.testing.assert_array_equal(images.array_nchw, array.astype(np.float32))


@pytest.mark.parametrize("shape", [(3, 1, 4, 5), (1, 1, 4, 4), (0, 1, 4, 4), (1, 4, 4), (2, 3, 4, 4)])
def test_images_of_another_shape_or_a_single_one_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(VerificationError) as caught:
        user_images(np.zeros(shape), (1, 4, 4))
    assert str(caught.value) == (
        f"verification images have shape {shape}: expected at least two of (1, 4, 4), "
        "preprocessed as the network wants them"
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_images_that_are_not_finite_are_refused(value: float) -> None:
    array = np.zeros((2, 1, 4, 4))
    array[1, 0, 2, 3] = value
    with pytest.raises(VerificationError) as caught:
        user_images(array, (1, 4, 4))
    assert str(caught.value) == "verification images hold NaN or infinity: expected finite numbers"
