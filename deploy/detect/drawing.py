"""Pictures with the boxes that were found on them."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from condmix.runtime.detection.suppression import Detections

LEAST_SIDE = 480
"""Small pictures are enlarged, so that the words on them can be read."""


def draw(pixels_hwc: np.ndarray, found: Detections, class_names: Sequence[str]) -> Image.Image:
    """The picture, uint8 (height, width, 1 or 3), with a box, name and score for each detection, best on top."""
    image = Image.fromarray(pixels_hwc[..., 0] if pixels_hwc.shape[2] == 1 else pixels_hwc).convert("RGB")
    factor = max(1, -(-LEAST_SIDE // max(image.size)))
    image = image.resize((image.width * factor, image.height * factor), Image.Resampling.BICUBIC)
    canvas = ImageDraw.Draw(image)
    size = max(12, round(min(image.size) / 28))
    font = ImageFont.load_default(size)
    for index in reversed(range(len(found))):
        label = int(found.classes[index])
        colour = _colour(label)
        corners = found.boxes_xyxy[index] * (image.width, image.height, image.width, image.height)
        left, top, right, bottom = (float(value) for value in corners)
        canvas.rectangle((left, top, right, bottom), outline=colour, width=max(2, size // 8))
        text = f"{class_names[label]} {found.scores[index]:.2f}"
        # A box that shows several classes has their words below each other.
        rank = int((found.anchors[:index] == found.anchors[index]).sum())
        start = (left, (top - 1.3 * size if top > 1.3 * size else top) + 1.3 * size * rank)
        canvas.rectangle(canvas.textbbox(start, text, font=font), fill=colour)
        canvas.text(start, text, fill="black", font=font)
    return image


def _colour(label: int) -> tuple[int, int, int]:
    """Hues as far apart as can be, bright enough for black words."""
    red, green, blue = colorsys.hsv_to_rgb((label * 0.618034) % 1.0, 0.55, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)
