"""What happens to a picture between its file and the network: resize, crop, scale, normalise.

The steps and roundings are those of timm's evaluation transform, so that weights trained with it see what
they were trained on.
"""

import dataclasses
import difflib
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Self

import numpy as np
import numpy.typing as npt
from PIL import Image

from condmix.models.errors import SettingsError

_FILTERS: Mapping[str, Image.Resampling] = MappingProxyType(
    {
        "nearest": Image.Resampling.NEAREST,
        "box": Image.Resampling.BOX,
        "bilinear": Image.Resampling.BILINEAR,
        "hamming": Image.Resampling.HAMMING,
        "bicubic": Image.Resampling.BICUBIC,
        "lanczos": Image.Resampling.LANCZOS,
    }
)
CROP_MODES = ("center", "squash")

InputSize = tuple[int, int, int]
"""Channels, height, width."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """How 8-bit pictures become network input: `(picture * scale - mean) / std`, after resizing and cropping.

    `mean` and `std` have one number a channel. `crop_fraction` is the share of each side that the central
    crop keeps. `crop_mode` "center" resizes the shorter side and keeps the proportions, "squash" resizes
    both. Raises `SettingsError` with every problem at construction.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str = "bilinear"
    crop_fraction: float = 1.0
    crop_mode: str = "center"
    scale: float = 1 / 255

    def __post_init__(self) -> None:
        """Lists become tuples of floats."""
        problems = []
        for name in ("mean", "std"):
            values = getattr(self, name)
            if not isinstance(values, list | tuple) or not values or not all(map(_is_number, values)):
                problems.append(f"{name} is {values!r}, expected finite numbers, one a channel")
            else:
                object.__setattr__(self, name, tuple(map(float, values)))
        if not problems and len(self.mean) != len(self.std):
            problems.append(f"mean has {len(self.mean)} channels, std has {len(self.std)}: they must agree")
        if not problems and min(self.std) <= 0:
            problems.append(f"std is {self.std}, expected above 0")
        for name, valid in (("interpolation", tuple(_FILTERS)), ("crop_mode", CROP_MODES)):
            if getattr(self, name) not in valid:
                problems.append(f"{name} is {getattr(self, name)!r}, expected one of {', '.join(valid)}")
        if not _is_number(self.crop_fraction) or not 0 < self.crop_fraction <= 1:
            problems.append(f"crop_fraction is {self.crop_fraction!r}, expected above 0, at most 1")
        if not _is_number(self.scale) or self.scale <= 0:
            problems.append(f"scale is {self.scale!r}, expected above 0")
        if problems:
            place = "preprocessing"
            raise SettingsError(place, problems)

    @classmethod
    def default(cls, channels: int) -> Self:
        """The usual one where nothing is known: ImageNet's for colour, else 8 bits mapped to -1..1."""
        if channels == 3:
            return cls(
                mean=(0.485, 0.456, 0.406),
                std=(0.229, 0.224, 0.225),
                interpolation="bicubic",
                crop_fraction=0.875,
            )
        return cls(mean=(0.5,) * channels, std=(0.5,) * channels)

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Self:
        """The preprocessing that `to_dict` described; `SettingsError` for unknown and for absent fields."""
        valid = [field.name for field in dataclasses.fields(cls)]
        problems = []
        for key in values:
            if key not in valid:
                near = difflib.get_close_matches(str(key), valid, n=1, cutoff=0.5)
                hint = f"nearest: {near[0]}" if near else f"valid: {', '.join(valid)}"
                problems.append(f"unknown field {key!r} ({hint})")
        problems += [f"field {key!r} is absent" for key in ("mean", "std") if key not in values]
        if problems:
            place = "preprocessing"
            raise SettingsError(place, problems)
        return cls(**values)  # type: ignore[arg-type]  # __post_init__ checks what arrives

    def to_dict(self) -> dict[str, object]:
        """Plain data, for a file: numbers, texts and lists."""
        fields = dataclasses.asdict(self)
        return {**fields, "mean": list(self.mean), "std": list(self.std)}

    def apply(self, image_uint8_hwc: npt.NDArray[np.uint8], *, input_size: InputSize) -> npt.NDArray[np.float32]:
        """The network input (channels, height, width) of a picture (height, width, channels) of any size.

        A grey picture is repeated for a colour network and a colour one is turned grey for a one-channel
        network (ITU-R 601 luma). Raises `SettingsError` where the picture or `input_size` do not fit.
        """
        channels, height, width = input_size
        self._check(image_uint8_hwc, channels)
        planes = _with_channels(image_uint8_hwc, channels)
        cropped = [self._resize_and_crop(planes[..., index], height, width) for index in range(channels)]
        scaled = np.stack(cropped).astype(np.float32) * np.float32(self.scale)
        mean = np.array(self.mean, np.float32).reshape(channels, 1, 1)
        std = np.array(self.std, np.float32).reshape(channels, 1, 1)
        return (scaled - mean) / std

    def _check(self, image: npt.NDArray[np.uint8], channels: int) -> None:
        problems = []
        if image.dtype != np.uint8 or image.ndim != 3 or 0 in image.shape:
            problems.append(
                f"the picture is {image.dtype} of shape {image.shape}, expected uint8 (height, width, channels)"
            )
        elif image.shape[2] != channels and {image.shape[2], channels} != {1, 3}:
            problems.append(f"the picture has {image.shape[2]} channels, the network takes {channels}")
        if len(self.mean) != channels:
            problems.append(f"mean and std have {len(self.mean)} channels, the network takes {channels}")
        if problems:
            place = "preprocessing"
            raise SettingsError(place, problems)

    def _resize_and_crop(self, plane: npt.NDArray[np.uint8], height: int, width: int) -> npt.NDArray[np.uint8]:
        target = (math.floor(height / self.crop_fraction), math.floor(width / self.crop_fraction))
        if self.crop_mode == "center":
            target = _keeping_proportions(plane.shape, target)
        image = Image.fromarray(np.ascontiguousarray(plane))
        if target != plane.shape:
            image = image.resize((target[1], target[0]), _FILTERS[self.interpolation])
        top, left = round((target[0] - height) / 2), round((target[1] - width) / 2)
        return np.asarray(image.crop((left, top, left + width, top + height)))


def assumed(preprocessing: Preprocessing, who: str) -> str:
    """The sentence for the report that the preprocessing is a guess, with its numbers."""
    return (
        f"{who} does not say its preprocessing: assumed mean {preprocessing.mean}, std {preprocessing.std}, "
        f"{preprocessing.interpolation}, crop {preprocessing.crop_fraction}"
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _with_channels(image: npt.NDArray[np.uint8], channels: int) -> npt.NDArray[np.uint8]:
    if image.shape[2] == channels:
        return image
    if channels == 3:
        return np.repeat(image, 3, axis=2)
    return np.asarray(Image.fromarray(image).convert("L"))[..., np.newaxis]


def _keeping_proportions(shape: tuple[int, ...], target: tuple[int, int]) -> tuple[int, int]:
    """Height and width whose sides keep their proportion and just cover the target's."""
    height, width = shape
    if target[0] == target[1]:
        # The longer side is cut off, not rounded: as torchvision's Resize does with one number.
        if height <= width:
            return target[0], int(target[0] * width / height)
        return int(target[1] * height / width), target[1]
    ratio = min(height / target[0], width / target[1])
    return round(height / ratio), round(width / ratio)
