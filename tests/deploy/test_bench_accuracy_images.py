"""What accuracy is measured on: calibration never sees a held-out digit, and copies are moved and nothing else."""

from __future__ import annotations

import numpy as np

from condmix.deploy.bench.accuracy_images import CALIBRATION_IMAGES, SHIFTS, accuracy_images, shifted
from condmix.models import digits

SIZE = (1, 16, 16)


def test_calibration_is_on_training_digits_and_accuracy_on_the_others() -> None:
    data, images = digits.load(input_size=SIZE), accuracy_images(SIZE)
    training = {image.tobytes() for image in data.train_images}
    assert len(images.calibration_nchw) == CALIBRATION_IMAGES == len({i.tobytes() for i in images.calibration_nchw})
    assert {image.tobytes() for image in images.calibration_nchw} <= training
    np.testing.assert_array_equal(images.held_out_nchw, data.held_out_images)
    np.testing.assert_array_equal(images.held_out_labels, data.held_out_labels)
    assert len(images.many_nchw) == len(SHIFTS) * len(data.train_images)
    np.testing.assert_array_equal(images.many_nchw[: len(data.train_images)], data.train_images)
    np.testing.assert_array_equal(accuracy_images(SIZE).calibration_nchw, images.calibration_nchw)


def test_pictures_move_down_and_to_the_right() -> None:
    picture = np.arange(32 * 32, dtype=np.float32).reshape(1, 1, 32, 32)
    np.testing.assert_array_equal(shifted(picture, 0, 0), picture)
    down = shifted(picture, 1, 0)  # a sixteenth of 32 rows
    np.testing.assert_array_equal(down[..., 2:, :], picture[..., :-2, :])
    np.testing.assert_array_equal(down[..., :2, :], np.broadcast_to(picture[..., :1, :], (1, 1, 2, 32)))
    left = shifted(picture, 0, -1)
    np.testing.assert_array_equal(left[..., :-2], picture[..., 2:])
    np.testing.assert_array_equal(left[..., -1], picture[..., -1])


def test_every_copy_is_another_picture() -> None:
    picture = np.random.default_rng(0).standard_normal((1, 1, 16, 16)).astype(np.float32)
    assert len({shifted(picture, *shift).tobytes() for shift in SHIFTS}) == len(SHIFTS)
