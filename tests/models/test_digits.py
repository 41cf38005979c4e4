"""Tests of condmix.models.digits."""

import sys

import numpy as np
import pytest

from condmix.models import digits
from condmix.models.errors import OptionalPackageError, SettingsError


def test_the_split_keeps_every_picture_once_and_every_class_alike():
    pictures, labels = digits.raw()
    data = digits.load(seed=1)
    assert data.train_images.shape == (1437, 1, 32, 32)
    assert data.held_out_images.shape == (360, 1, 32, 32)
    assert data.train_images.dtype == data.held_out_images.dtype == np.float32
    assert data.train_labels.dtype == np.int64
    assert data.input_size == digits.INPUT_SIZE
    both = np.concatenate([data.train_labels, data.held_out_labels])
    np.testing.assert_array_equal(np.bincount(both), np.bincount(labels))
    shares = np.bincount(data.held_out_labels) / np.bincount(labels)
    assert abs(shares - 0.2).max() < 0.01

    # Each held-out picture is one of the raw ones, under its own label, and not among those trained on.
    def rows(images: np.ndarray) -> set[bytes]:
        return {image.tobytes() for image in images}

    everything = np.stack([data.preprocessing.apply(one, input_size=digits.INPUT_SIZE) for one in pictures])
    distinct = rows(everything)
    assert rows(data.train_images) | rows(data.held_out_images) == distinct
    label_of = dict(zip((image.tobytes() for image in everything), labels, strict=True))
    assert [label_of[image.tobytes()] for image in data.held_out_images] == list(data.held_out_labels)
    assert not rows(data.train_images) & rows(data.held_out_images)


def test_pictures_are_eight_bit_grey():
    pictures, labels = digits.raw()
    assert pictures.shape == (1797, 8, 8, 1)
    assert pictures.dtype == np.uint8
    assert (pictures.min(), pictures.max()) == (0, 255)
    assert set(labels) == set(range(10))


def test_the_seed_decides():
    one, same, other = digits.load(seed=3), digits.load(seed=3), digits.load(seed=4)
    np.testing.assert_array_equal(one.train_images, same.train_images)
    np.testing.assert_array_equal(one.held_out_labels, same.held_out_labels)
    assert not np.array_equal(one.held_out_images, other.held_out_images)


@pytest.mark.parametrize("fraction", [0.0, 0.95])
def test_a_fraction_without_sense(fraction):
    with pytest.raises(SettingsError) as caught:
        digits.load(held_out_fraction=fraction)
    assert str(caught.value) == f"digits: held_out_fraction is {fraction}, expected from 0.01 to 0.9"


def test_any_size_of_one_channel():
    data = digits.load(input_size=(1, 20, 24))
    assert data.train_images.shape[1:] == (1, 20, 24)
    with pytest.raises(SettingsError) as caught:
        digits.load(input_size=(3, 32, 32), held_out_fraction=2)
    assert str(caught.value) == (
        "digits: held_out_fraction is 2, expected from 0.01 to 0.9; "
        "input_size is (3, 32, 32), expected one channel: the digits are grey"
    )


def test_without_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(OptionalPackageError) as caught:
        digits.load()
    assert str(caught.value) == (
        "digits: scikit-learn is not installed, it brings the pictures; pip install 'condmix[export]'"
    )
