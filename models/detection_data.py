"""A detection set made here: shapes and handwritten digits on photographs, with exact boxes.

The photographs and the digits ship with scikit-learn; the rest is drawn. Everything follows from the seed.
"""

from __future__ import annotations

import colorsys
import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from condmix.models import digits
from condmix.models.errors import OptionalPackageError, SettingsError
from condmix.models.preprocessing import InputSize, Preprocessing

CLASS_NAMES = ("circle", "square", "triangle", "star", "digit")
PREPROCESSING = Preprocessing(mean=(0.5,) * 3, std=(0.5,) * 3, crop_mode="squash")
PHOTOGRAPHS = ("china.jpg", "flower.jpg")

_HELD_OUT_SHARE = 0.25
"""Of the photographs, their right side, and of the digits: training never sees them."""
_MOST_OBJECTS = 4
_SIDE_SHARES = (0.2, 0.6)
_MOST_OVERLAP = 0.05
_FINER = 4
"""Shapes are drawn so many times larger and then scaled down: smooth edges."""
_SOLID = 128
_BACKGROUND_BRIGHTNESS = 0.5
"""Photographs are darkened by it: a small network, trained for a minute, is to find bright things on them."""

Pixels = npt.NDArray[np.uint8]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class DetectionPictures:
    """Pictures, and for each its boxes and their classes.

    pictures: uint8 (height, width, 3). boxes: float32 (objects, 4), x_min, y_min, x_max, y_max in shares of the
    picture. labels: int64 (objects,) from 0. names: of the pictures, where they have some.
    """

    pictures: tuple[Pixels, ...]
    boxes: tuple[npt.NDArray[np.float32], ...]
    labels: tuple[npt.NDArray[np.int64], ...]
    class_names: tuple[str, ...]
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.pictures)

    def inputs(self, preprocessing: Preprocessing, input_size: InputSize) -> npt.NDArray[np.float32]:
        """All pictures as a network takes them: (count, channels, height, width)."""
        return np.stack([preprocessing.apply(picture, input_size=input_size) for picture in self.pictures])


class PictureMaker:
    """Makes pictures; the photographs and digits are read once. Raises `OptionalPackageError` without scikit-learn."""

    def __init__(self, *, held_out: bool) -> None:
        self._backgrounds = [_side(photograph, held_out=held_out) for photograph in _photographs()]
        found, _ = digits.raw()
        cut = round(len(found) * (1 - _HELD_OUT_SHARE))
        self._digits = found[cut:] if held_out else found[:cut]

    def make(self, count: int, *, side: int, seed: int) -> DetectionPictures:
        """`count` pictures of `side` x `side` pixels with one to four objects each, which hardly overlap.

        Raises `SettingsError` for fewer than one picture, or a side on which nothing can be drawn.
        """
        problems = []
        if count < 1:
            problems.append(f"count is {count}, expected at least 1")
        if side < 32:
            problems.append(f"side is {side}, expected at least 32 pixels")
        if problems:
            place = "detection set"
            raise SettingsError(place, problems)
        generator = np.random.default_rng(seed)
        made = [self._picture(side, generator) for _ in range(count)]
        pictures, boxes, labels = zip(*made, strict=True)
        return DetectionPictures(
            pictures=pictures,
            boxes=boxes,
            labels=labels,
            class_names=CLASS_NAMES,
            names=tuple(f"{index:05d}.png" for index in range(count)),
        )

    def _picture(
        self, side: int, generator: np.random.Generator
    ) -> tuple[Pixels, npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        canvas = _background(self._backgrounds, side, generator).astype(np.float32) * _BACKGROUND_BRIGHTNESS
        placed: list[tuple[int, int, int, int]] = []
        labels: list[int] = []
        for _ in range(int(generator.integers(1, _MOST_OBJECTS + 1))):
            label = int(generator.integers(len(CLASS_NAMES)))
            alpha = self._alpha(label, round(side * generator.uniform(*_SIDE_SHARES)), generator)
            top, left = (int(generator.integers(0, side - length + 1)) for length in alpha.shape)
            box = _solid_box(alpha, top, left)
            if any(_overlap(box, other) > _MOST_OVERLAP for other in placed):
                continue
            _paste(canvas, alpha, top, left, generator)
            placed.append(box)
            labels.append(label)
        boxes = np.array(placed, np.float32) / np.float32(side)
        return np.rint(canvas).astype(np.uint8), boxes, np.array(labels, np.int64)

    def _alpha(self, label: int, side: int, generator: np.random.Generator) -> Pixels:
        if CLASS_NAMES[label] == "digit":
            picture = self._digits[int(generator.integers(len(self._digits)))][..., 0]
            return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC))
        return _shape(CLASS_NAMES[label], side, generator)


def _photographs() -> list[Pixels]:
    try:
        from sklearn import datasets  # type: ignore[import-untyped]
    except ModuleNotFoundError:
        message = (
            "detection set: scikit-learn is not installed, it brings photographs and digits; "
            "pip install 'condmix[export]'"
        )
        raise OptionalPackageError(message) from None
    return [np.asarray(datasets.load_sample_image(name), np.uint8) for name in PHOTOGRAPHS]


def _side(photograph: Pixels, *, held_out: bool) -> Pixels:
    cut = round(photograph.shape[1] * (1 - _HELD_OUT_SHARE))
    return photograph[:, cut:] if held_out else photograph[:, :cut]


def _background(photographs: Sequence[Pixels], side: int, generator: np.random.Generator) -> Pixels:
    """A square part of a photograph, perhaps mirrored, brought to the side."""
    photograph = photographs[int(generator.integers(len(photographs)))]
    largest = min(photograph.shape[:2])
    part = int(generator.integers(min(side, largest), largest + 1))
    top, left = (int(generator.integers(0, length - part + 1)) for length in photograph.shape[:2])
    cut = photograph[top : top + part, left : left + part]
    if generator.random() < 0.5:
        cut = cut[:, ::-1]
    return np.asarray(Image.fromarray(np.ascontiguousarray(cut)).resize((side, side), Image.Resampling.BILINEAR))


def _shape(name: str, side: int, generator: np.random.Generator) -> Pixels:
    """The shape as an opacity, a little wider or higher than a square, polygons turned a little."""
    stretch = generator.uniform(0.75, 1.0, 2)
    width, height = (max(8, round(side * share)) for share in stretch)
    image = Image.new("L", (width * _FINER, height * _FINER), 0)
    draw = ImageDraw.Draw(image)
    if name == "circle":
        draw.ellipse((0, 0, width * _FINER - 1, height * _FINER - 1), fill=255)
    else:
        turn = generator.uniform(-0.3, 0.3)
        corners = _corners(name, turn)
        low, high = corners.min(axis=0), corners.max(axis=0)
        scaled = (corners - low) / (high - low) * (width * _FINER - 1, height * _FINER - 1)
        draw.polygon([(float(x), float(y)) for x, y in scaled], fill=255)
    return np.asarray(image.resize((width, height), Image.Resampling.BOX))


def _corners(name: str, turn: float) -> npt.NDArray[np.float64]:
    count = {"square": 4, "triangle": 3, "star": 10}[name]
    start = turn - math.pi / 2 + (math.pi / 4 if name == "square" else 0)
    angles = start + 2 * math.pi * np.arange(count) / count
    radii = np.where(np.arange(count) % 2, 0.42, 1.0) if name == "star" else np.ones(count)
    return np.stack((radii * np.cos(angles), radii * np.sin(angles)), axis=1)


def _solid_box(alpha: Pixels, top: int, left: int) -> tuple[int, int, int, int]:
    """x_min, y_min, x_max, y_max in pixels of what is at least half opaque."""
    rows = np.flatnonzero((alpha >= _SOLID).any(axis=1))
    columns = np.flatnonzero((alpha >= _SOLID).any(axis=0))
    return left + int(columns[0]), top + int(rows[0]), left + int(columns[-1]) + 1, top + int(rows[-1]) + 1


def _paste(canvas: npt.NDArray[np.float32], alpha: Pixels, top: int, left: int, generator: np.random.Generator) -> None:
    """One bright colour, on the darkened photograph."""
    part = canvas[top : top + alpha.shape[0], left : left + alpha.shape[1]]
    share = alpha[..., None].astype(np.float32) / 255
    part += share * (_bright_colour(generator) - part)


def _bright_colour(generator: np.random.Generator) -> npt.NDArray[np.float32]:
    """Of any hue, nearly saturated."""
    hue, saturation, value = generator.uniform(0, 1), generator.uniform(0.6, 1), generator.uniform(0.85, 1)
    return 255 * np.array(colorsys.hsv_to_rgb(hue, saturation, value), np.float32)


def _overlap(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> float:
    """The shared area as a share of the smaller box."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return width * height / min(areas)
