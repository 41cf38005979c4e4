"""Several inputs of one network as one array: a structured one, one field an input, one row an image.

Whatever orders, takes, counts, joins or hashes images works alike on such an array and on one of images alone; only
what feeds an engine or does arithmetic on the numbers asks for the fields, here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from condmix.runtime.errors import InvalidSettingError

TO_NHWC = (0, 2, 3, 1)


def joint(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """The arrays, (images, ...) each, as one: of a single input the array itself.

    Raises InvalidSettingError for no array, and for arrays of different numbers of images.
    """
    counts = {name: len(array) for name, array in arrays.items()}
    if len(set(counts.values())) != 1:
        listed = ", ".join(f"'{name}' has {count}" for name, count in counts.items()) or "there is none"
        raise InvalidSettingError([f"all must have the same number of images: {listed}"], record="inputs")
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    dtype = np.dtype([(name, array.dtype, array.shape[1:]) for name, array in arrays.items()])
    rows = np.empty(next(iter(counts.values())), dtype)
    for name, array in arrays.items():
        rows[name] = array
    return rows


def is_joint(images: np.ndarray) -> bool:
    """Whether the array holds several inputs."""
    return images.dtype.names is not None


def first_part(images: np.ndarray) -> np.ndarray:
    """The images themselves, (images, channels, height, width), whatever else there is; of one image likewise."""
    return images if images.dtype.names is None else images[images.dtype.names[0]]


def as_batch(image: np.ndarray) -> np.ndarray:
    """One image, or one row of several inputs, as a batch of one."""
    return np.asarray(image)[None]


def mapped(images: np.ndarray, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The same inputs, each changed on its own; batches stay batches."""
    names = images.dtype.names
    return change(images) if names is None else joint({name: change(images[name]) for name in names})


def feeds(images: np.ndarray, names: Sequence[str], *, channels_last: bool = False) -> dict[str, np.ndarray]:
    """What an engine is fed: arrays by its input names, which are in the order of the fields, the image's first.

    channels_last: inputs of four axes are turned to (images, height, width, channels).
    Raises InvalidSettingError where there are not as many names as inputs.
    """
    fields = images.dtype.names
    if len(names) != (1 if fields is None else len(fields)):
        own = "1 (images alone)" if fields is None else f"{len(fields)} ({', '.join(fields)})"
        found = f"the model has {len(names)} inputs ({', '.join(names)}), {own} were given"
        raise InvalidSettingError([found], record="inputs")
    if fields is None:
        return {names[0]: _turned(images, channels_last=channels_last)}
    return {
        name: np.ascontiguousarray(_turned(images[field], channels_last=channels_last))
        for name, field in zip(names, fields, strict=True)
    }


def _turned(array: np.ndarray, *, channels_last: bool) -> np.ndarray:
    return np.ascontiguousarray(array.transpose(TO_NHWC)) if channels_last and array.ndim == 4 else array
