"""Every fault of a set of images is seen, and a sound set has none."""

from __future__ import annotations

import numpy as np
import pytest

from condmix.deploy.image_checks import ImageChecks
from condmix.models.preprocessing import Preprocessing

COLOUR, GREY = Preprocessing.default(3), Preprocessing.default(1)


def checked(images: list[np.ndarray], preprocessing: Preprocessing = COLOUR) -> ImageChecks:
    checks = ImageChecks(preprocessing)
    for index, image in enumerate(images):
        checks.see(f"image {index}", image.astype(np.float32))
    return checks


def noise(count: int = 3, channels: int = 3) -> list[np.ndarray]:
    return list(np.random.default_rng(0).standard_normal((count, channels, 8, 8)))


def pixels(count: int = 3) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (count, 3, 8, 8)).astype(float))


def test_sound_images_pass() -> None:
    found = checked(noise())
    assert (found.problems, found.warnings) == ([], [])
    assert len(set(found.digests)) == 3


def test_nan_and_constant_images_are_named() -> None:
    nan, flat = noise(2)
    nan[0, 0, 0] = np.nan
    flat[:] = np.array([0.1, 0.2, 0.3])[:, None, None]
    assert checked([*noise(), nan, flat]).problems == [
        "NaN or infinity in 1 images: image 3",
        "all pixels are equal in 1 images: image 4; remove them",
    ]


def test_an_image_with_one_flat_channel_is_no_constant_one() -> None:
    images = noise()
    images[0][1] = 0.0
    assert checked(images).problems == []


def test_the_same_image_over_and_over_is_refused() -> None:
    assert checked([noise(1)[0]] * 4).problems == ["all 4 images are the same one: expected different ones"]
    assert checked(noise(1)).problems == []


def test_pixels_that_were_not_normalised_are_refused_with_the_remedy() -> None:
    (found,) = checked(pixels()).problems
    assert found == (
        "the numbers reach from 0 to 255, the network's preprocessing gives -2.12 to 2.64: they look unnormalised; "
        "give (pixels * 0.003922 - mean) / std with mean (0.485, 0.456, 0.406) and std (0.229, 0.224, 0.225), or the "
        "8-bit pictures themselves as uint8"
    )


def test_pixels_are_right_where_the_network_takes_pixels() -> None:
    raw = Preprocessing(mean=(0.0,) * 3, std=(1.0,) * 3, scale=1.0)
    found = checked(pixels(), raw)
    assert (found.problems, found.warnings) == ([], [])


def test_pixels_scaled_to_one_are_warned_of() -> None:
    found = checked([image / 255 for image in pixels()])
    assert found.problems == []
    assert found.warnings[0].startswith(
        "the images' numbers reach from 0 to 1, the preprocessing gives -2.12 to 2.64: if they are pictures scaled to "
        "0..1, give (pixels * 0.003922 - mean) / std"
    )


def test_much_too_small_numbers_are_warned_of() -> None:
    raw = Preprocessing(mean=(0.0,) * 3, std=(1.0,) * 3, scale=1.0)
    (found,) = checked([image / 255 for image in pixels()], raw).warnings
    assert "if they are not meant to be that small" in found


@pytest.mark.parametrize("factor", [1.0, 1.3, 4.0])
def test_overshoot_of_augmentation_is_no_fault(factor: float) -> None:
    images = [(image / 255 - 0.5) / 0.5 * factor for image in pixels()]
    found = checked([image[:1] for image in images], GREY)
    assert (found.problems, found.warnings) == ([], [])
