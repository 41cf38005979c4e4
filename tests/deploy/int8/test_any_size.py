"""Calibration images are brought to the sizes that an int8 file is proven at."""

from __future__ import annotations

import numpy as np

from condmix.deploy.int8.any_size import resized


def test_the_content_is_the_same_at_another_size() -> None:
    rows = np.linspace(-2, 2, 16, dtype=np.float32)[:, None]
    images = np.stack([np.stack([rows + column * np.ones((16, 24), np.float32) for column in (0, 1, 5)])] * 2)
    found = resized(images, (31, 9))
    assert (found.shape, found.dtype) == ((2, 3, 31, 9), np.float32)
    assert np.allclose(found[:, 1] - found[:, 0], 1, atol=1e-6)
    assert np.all(np.diff(found, axis=2) >= 0)
    assert (found.min() >= images.min(), found.max() <= images.max()) == (True, True)


def test_the_same_size_changes_nothing() -> None:
    images = np.random.default_rng(0).standard_normal((1, 3, 7, 5)).astype(np.float32)
    np.testing.assert_array_equal(resized(images, (7, 5)), images)
