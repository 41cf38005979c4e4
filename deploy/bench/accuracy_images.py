"""Digits for measuring accuracy: those to calibrate on, those that were held out, and many more to agree on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from condmix.models import digits
from condmix.models.preprocessing import InputSize

CALIBRATION_IMAGES = 300
SEED = 0
SHIFTS = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))
"""Of the copies: down and right, in sixteenths of the picture."""


@dataclass(frozen=True, kw_only=True, eq=False)
class AccuracyImages:
    """All float32, (count, channels, height, width), preprocessed.

    calibration: of the training digits. held_out: never trained on, with their classes. many: every training digit, as
    it is and shifted; a network was trained on their like, so they say nothing of its accuracy, but 360 digits are
    too few to tell how often a rounded network answers otherwise.
    """

    calibration_nchw: np.ndarray
    held_out_nchw: np.ndarray
    held_out_labels: np.ndarray
    many_nchw: np.ndarray


def accuracy_images(input_size: InputSize) -> AccuracyImages:
    """The digits at that size. Raises what `digits.load` raises."""
    data = digits.load(input_size=input_size)
    count = min(CALIBRATION_IMAGES, len(data.train_images))
    chosen = np.random.default_rng(SEED).choice(len(data.train_images), count, replace=False)
    return AccuracyImages(
        calibration_nchw=data.train_images[np.sort(chosen)],
        held_out_nchw=data.held_out_images,
        held_out_labels=data.held_out_labels,
        many_nchw=np.concatenate([shifted(data.train_images, *shift) for shift in SHIFTS]),
    )


def shifted(images_nchw: np.ndarray, down: int, right: int) -> np.ndarray:
    """The pictures moved by so many sixteenths; what comes into sight is as the nearest edge."""
    height, width = images_nchw.shape[2:]
    rows = np.clip(np.arange(height) - round(down * height / 16), 0, height - 1)
    columns = np.clip(np.arange(width) - round(right * width / 16), 0, width - 1)
    return np.ascontiguousarray(images_nchw[:, :, rows[:, None], columns])
