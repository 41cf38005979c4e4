"""Picture files as the network takes them, and which of many are taken: for verification and calibration alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from condmix.deploy.errors import UnreadableFileError
from condmix.deploy.network_input import NetworkInput
from condmix.models.errors import SettingsError

PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".pgm", ".ppm"})

Images = npt.NDArray[np.float32]


def pictures_in(folder: Path) -> list[Path]:
    """The pictures that lie in the folder itself, in order of name; hidden files are none."""
    return sorted(
        entry
        for entry in folder.iterdir()
        if entry.suffix.lower() in PICTURE_SUFFIXES and not entry.name.startswith(".") and not entry.is_dir()
    )


def read_picture(picture: Path, network: NetworkInput) -> Images:
    """The picture preprocessed as the network says, (channels, height, width).

    Raises UnreadableFileError with the reason alone, for a list that names the file.
    """
    try:
        return network.preprocessing.apply(read_pixels(picture), input_size=network.input_size)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        # Pillow raises SyntaxError for some damaged files; SettingsError is a ValueError.
        reason = "; ".join(error.problems) if isinstance(error, SettingsError) else str(error)
        raise UnreadableFileError(reason or type(error).__name__) from error


def spread_evenly(count: int, most: int) -> tuple[int, ...]:
    """At most `most` places, evenly over `count`: folders are often sorted by class."""
    if count <= most:
        return tuple(range(count))
    return tuple(int(place) for place in np.linspace(0, count - 1, most))


def read_pixels(picture: Path) -> npt.NDArray[np.uint8]:
    """The pixels of a picture (height, width, channels), one or three channels. Raises OSError, as Pillow does."""
    with Image.open(picture) as image:
        plain = image if image.mode in ("L", "RGB") else image.convert("RGB")
        pixels = np.asarray(plain, dtype=np.uint8)
    return pixels[..., np.newaxis] if pixels.ndim == 2 else pixels
