"""What is wrong with a set of preprocessed images as a whole; each is looked at once and not kept."""

from __future__ import annotations

import hashlib

import numpy as np

from condmix.deploy.class_labels import shown
from condmix.deploy.picture_files import Images
from condmix.models.preprocessing import Preprocessing
from condmix.runtime.joint_inputs import first_part

FAR_BEYOND = 10.0
"""Times the largest number that the preprocessing can give: resampling and other normalisation stay below."""
FAR_BELOW = 0.05


class ImageChecks:
    """Call `see` with every image, then ask for `problems` and `warnings`."""

    def __init__(self, preprocessing: Preprocessing) -> None:
        white = 255 * preprocessing.scale
        pairs = list(zip(preprocessing.mean, preprocessing.std, strict=True))
        self._darkest = min((0 - mean) / std for mean, std in pairs)
        self._brightest = max((white - mean) / std for mean, std in pairs)
        self._preprocessing = preprocessing
        self._low, self._high = np.inf, -np.inf
        self._unsound: list[str] = []
        self._constant: list[str] = []
        self.digests: list[bytes] = []
        """A check sum of every image that was seen."""

    def see(self, name: str, image_chw: Images) -> None:
        """The image under that name is taken into account."""
        self.digests.append(digest_of(image_chw))
        image_chw = first_part(image_chw)
        if not np.isfinite(image_chw).all():
            self._unsound.append(name)
            return
        low, high = image_chw.min(axis=(1, 2)), image_chw.max(axis=(1, 2))
        if (low == high).all():
            self._constant.append(name)
        self._low, self._high = min(self._low, float(low.min())), max(self._high, float(high.max()))

    @property
    def problems(self) -> list[str]:
        """All reasons against these images."""
        found = []
        if self._unsound:
            found.append(f"NaN or infinity in {len(self._unsound)} images: {shown(self._unsound)}")
        if self._constant:
            found.append(f"all pixels are equal in {len(self._constant)} images: {shown(self._constant)}; remove them")
        if len(self.digests) > 1 and len(set(self.digests)) == 1:
            found.append(f"all {len(self.digests)} images are the same one: expected different ones")
        if self._largest > FAR_BEYOND * self._extent:
            found.append(
                f"the numbers reach from {self._low:.4g} to {self._high:.4g}, the network's preprocessing gives "
                f"{self._span}: they look unnormalised; {self._remedy}"
            )
        return found

    @property
    def warnings(self) -> list[str]:
        """What looks wrong and may be right."""
        if not np.isfinite(self._low) or self.problems:
            return []
        span = f"the images' numbers reach from {self._low:.4g} to {self._high:.4g}, the preprocessing gives"
        if self._low >= 0 and self._high <= 1 and self._darkest < -0.25:
            return [f"{span} {self._span}: if they are pictures scaled to 0..1, {self._remedy}"]
        if self._largest < FAR_BELOW * self._extent:
            return [f"{span} {self._span}: if they are not meant to be that small, {self._remedy}"]
        return []

    @property
    def _largest(self) -> float:
        return max(-self._low, self._high)

    @property
    def _extent(self) -> float:
        return max(-self._darkest, self._brightest)

    @property
    def _span(self) -> str:
        return f"{self._darkest:.3g} to {self._brightest:.3g}"

    @property
    def _remedy(self) -> str:
        chosen = self._preprocessing
        mean, std = (", ".join(f"{number:.4g}" for number in numbers) for numbers in (chosen.mean, chosen.std))
        return (
            f"give (pixels * {chosen.scale:.4g} - mean) / std with mean ({mean}) and std ({std}), or the 8-bit "
            "pictures themselves as uint8"
        )


def digest_of(image_chw: Images) -> bytes:
    """Tells two images apart."""
    return hashlib.blake2b(np.ascontiguousarray(image_chw).data, digest_size=16).digest()
