"""Real handwritten digits, small enough to train on: the test part of the UCI set of 1998, from scikit-learn.

1797 pictures of 8x8 pixels with 17 grey levels, written by 13 people. They are brought to 32x32 by the same
preprocessing that is stored with the trained network, so a picture from outside takes the same way.
"""

import dataclasses

import numpy as np
import numpy.typing as npt

from condmix.models.errors import OptionalPackageError, SettingsError
from condmix.models.preprocessing import InputSize, Preprocessing

INPUT_SIZE: InputSize = (1, 32, 32)
CLASS_NAMES = tuple("0123456789")
PREPROCESSING = Preprocessing.default(1)

_BRIGHTEST = 16


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageData:
    """Pictures for training and held-out ones the training never sees.

    Images are float32 (count, channels, height, width), preprocessed; labels int64 (count,) from 0.
    """

    train_images: npt.NDArray[np.float32]
    train_labels: npt.NDArray[np.int64]
    held_out_images: npt.NDArray[np.float32]
    held_out_labels: npt.NDArray[np.int64]
    class_names: tuple[str, ...]
    preprocessing: Preprocessing

    @property
    def input_size(self) -> InputSize:
        """Channels, height and width of one picture."""
        channels, height, width = self.train_images.shape[1:]
        return channels, height, width


def load(*, seed: int = 0, held_out_fraction: float = 0.2, input_size: InputSize = INPUT_SIZE) -> ImageData:
    """The digits, split by the seed with every class represented alike on both sides.

    input_size: one channel, and the height and width that the pictures are brought to.
    Raises `OptionalPackageError` without scikit-learn, `SettingsError` for a fraction outside 0.01 to 0.9 or more than
    one channel.
    """
    problems = []
    if not 0.01 <= held_out_fraction <= 0.9:
        problems.append(f"held_out_fraction is {held_out_fraction}, expected from 0.01 to 0.9")
    if input_size[0] != 1:
        problems.append(f"input_size is {input_size}, expected one channel: the digits are grey")
    if problems:
        place = "digits"
        raise SettingsError(place, problems)
    pictures, labels = raw()
    images = np.stack([PREPROCESSING.apply(picture, input_size=input_size) for picture in pictures])
    train, held_out = _split(labels, seed, held_out_fraction)
    return ImageData(
        train_images=images[train],
        train_labels=labels[train],
        held_out_images=images[held_out],
        held_out_labels=labels[held_out],
        class_names=CLASS_NAMES,
        preprocessing=PREPROCESSING,
    )


def raw() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """The pictures as written: uint8 (count, 8, 8, 1) from 0 to 255, and labels (count,)."""
    try:
        from sklearn import datasets  # type: ignore[import-untyped]
    except ModuleNotFoundError:
        message = "digits: scikit-learn is not installed, it brings the pictures; pip install 'condmix[export]'"
        raise OptionalPackageError(message) from None
    bunch = datasets.load_digits()
    pictures = np.rint(bunch.images * (255 / _BRIGHTEST)).astype(np.uint8)
    return pictures[..., np.newaxis], bunch.target.astype(np.int64)


def _split(
    labels: npt.NDArray[np.int64], seed: int, held_out_fraction: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    from sklearn.model_selection import train_test_split  # type: ignore[import-untyped]

    train, held_out = train_test_split(
        np.arange(len(labels)), test_size=held_out_fraction, random_state=seed, stratify=labels
    )
    return train, held_out
