"""Images to verify on: seeded noise and real photographs or digits, chosen so that they drive the routing apart."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from condmix.exporters.errors import VerificationError
from condmix.exporters.verify.pictures import load_pictures
from condmix.runtime.joint_inputs import first_part, is_joint, joint, mapped

SEED = 20190410  # the day the CondConv paper was submitted; any fixed number serves


@dataclass(frozen=True, kw_only=True)
class Images:
    """Images of shape (count, channels, height, width), float32, and a word on where each comes from."""

    array_nchw: np.ndarray
    sources: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """Identifies the exact pixels in a record."""
        return hashlib.sha256(np.ascontiguousarray(self.array_nchw).tobytes()).hexdigest()

    def take(self, indices: Sequence[int]) -> Images:
        """The images at these places, in this order."""
        return Images(
            array_nchw=self.array_nchw[list(indices)], sources=tuple(self.sources[index] for index in indices)
        )


def user_images(array_nchw: np.ndarray, input_size: tuple[int, int, int]) -> Images:
    """The user's own images. Raises VerificationError unless they are (count, *input_size), finite and at least two."""
    if is_joint(array_nchw):
        alone = user_images(first_part(array_nchw), input_size)
        return Images(array_nchw=mapped(array_nchw, lambda part: part.astype(np.float32)), sources=alone.sources)
    if array_nchw.ndim != 4 or array_nchw.shape[1:] != input_size or len(array_nchw) < 2:
        message = (
            f"verification images have shape {array_nchw.shape}: expected at least two of {input_size}, "
            "preprocessed as the network wants them"
        )
        raise VerificationError(message)
    if not np.isfinite(array_nchw).all():
        message = "verification images hold NaN or infinity: expected finite numbers"
        raise VerificationError(message)
    array = array_nchw.astype(np.float32)
    return Images(array_nchw=array, sources=tuple(f"given {index}" for index in range(len(array))))


def candidate_images(input_size: tuple[int, int, int]) -> Images:
    """A pool of different images: noise of several strengths, crops of photographs, enlarged handwritten digits."""
    generator = np.random.default_rng(SEED)
    arrays: list[np.ndarray] = []
    sources: list[str] = []
    for strength in (1.0, 0.3, 2.0, 1.0):
        arrays.append(strength * generator.standard_normal(input_size))
        sources.append(f"noise x{strength:g}")
    for name, image_hwc in _real_images(generator):
        arrays.append(_fit(image_hwc, input_size))
        sources.append(name)
    # A real image against a brighter one: a pooled feature, and with it the routing, sees the level.
    arrays.append(arrays[4] + 1.0)
    sources.append(f"{sources[4]}, brighter")
    arrays.append(0.25 * arrays[5] - 1.0)
    sources.append(f"{sources[5]}, dark and flat")
    return Images(array_nchw=np.stack(arrays).astype(np.float32), sources=tuple(sources))


def with_more_inputs(images: Images, name: str, more: Mapping[str, tuple[int, ...]]) -> Images:
    """The images under `name` beside seeded random numbers for each further input, other ones for every image.

    more: shapes without the batch axis.
    """
    if not more or is_joint(images.array_nchw):
        return images
    count = len(images.sources)
    drawn = {
        other: np.random.default_rng((SEED, place)).standard_normal((count, *shape)).astype(np.float32)
        for place, (other, shape) in enumerate(more.items())
    }
    return Images(array_nchw=joint({name: images.array_nchw, **drawn}), sources=images.sources)


def _real_images(generator: np.random.Generator) -> list[tuple[str, np.ndarray]]:
    """Crops of scikit-learn's two photographs and some of its digits, values in [0, 1]."""
    pictures = load_pictures()
    real: list[tuple[str, np.ndarray]] = []
    for name, photograph in zip(("temple", "flower"), pictures.photographs, strict=True):
        height, width = photograph.shape[:2]
        for crop in range(3):
            size = int(generator.integers(height // 3, height))
            top, left = (
                int(generator.integers(0, height - size + 1)),
                int(generator.integers(0, width - size + 1)),
            )
            real.append((f"photograph {name} crop {crop}", photograph[top : top + size, left : left + size] / 255.0))
    for index in generator.choice(len(pictures.digits), size=3, replace=False):
        real.append((f"digit {pictures.numbers[index]}", pictures.digits[index][:, :, None] / 16.0))
    return real


def _fit(image_hwc: np.ndarray, input_size: tuple[int, int, int]) -> np.ndarray:
    """Resize to the input's height and width, give it its channels, normalise to about mean 0, deviation 1."""
    channels, height, width = input_size
    planes = np.stack([_resized(plane, height, width) for plane in image_hwc.transpose(2, 0, 1)])
    if planes.shape[0] != channels:
        planes = np.resize(planes.mean(axis=0, keepdims=True), (channels, height, width))
    return (planes - 0.5) / 0.25


def _resized(plane: np.ndarray, height: int, width: int) -> np.ndarray:
    image = Image.fromarray(np.ascontiguousarray(plane, dtype=np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
