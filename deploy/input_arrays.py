"""One array as one input of the network: preprocessed floats as they are, raw 8-bit pictures preprocessed here."""

from __future__ import annotations

import numpy as np

from condmix.deploy.network_input import NetworkInput
from condmix.deploy.picture_files import Images
from condmix.models.errors import SettingsError


def shape_problem(shape: tuple[int, ...], dtype: np.dtype[np.generic], network: NetworkInput) -> str | None:
    """Why an array of that shape and type is no input of the network; None when it is one.

    shape: of one image. float32 or float64 are (channels, height, width), preprocessed; uint8 is a picture of
    any size, (height, width, channels) or (channels, height, width).
    """
    if dtype == np.uint8:
        return _raw_problem(shape, network.input_size[0])
    if dtype not in (np.float32, np.float64):
        return f"holds {dtype}: expected float32, preprocessed as the network wants it, or raw pictures in uint8"
    channels, height, width = network.input_size
    if shape == (channels, height, width):
        return None
    if shape == (height, width, channels):
        return (
            f"has images of shape {shape}, channels last: expected {network.input_size}; move the last axis to the "
            "front (numpy.moveaxis(images, -1, 1))"
        )
    return (
        f"has images of shape {shape}: expected {network.input_size}; preprocess them to that size, or export for "
        "theirs with --input-size"
    )


def as_input(image: np.ndarray, network: NetworkInput) -> Images:
    """The image, of which `shape_problem` finds nothing wrong, as float32 (channels, height, width).

    Raises SettingsError where the network's preprocessing takes no such picture.
    """
    if image.dtype != np.uint8:
        return np.ascontiguousarray(image, dtype=np.float32)
    pixels = image if _is_channels_last(image.shape, network.input_size[0]) else np.moveaxis(image, 0, -1)
    return network.preprocessing.apply(np.ascontiguousarray(pixels), input_size=network.input_size)


def input_or_problem(image: np.ndarray, network: NetworkInput) -> Images | str:
    """The input, or why there is none."""
    problem = shape_problem(image.shape, image.dtype, network)
    if problem is not None:
        return problem
    try:
        return as_input(image, network)
    except SettingsError as error:
        return "; ".join(error.problems)


def _raw_problem(shape: tuple[int, ...], channels: int) -> str | None:
    wanted = " or ".join(map(str, sorted(_fitting(channels))))
    if len(shape) == 3 and 0 not in shape:
        last, first = shape[2] in _fitting(channels), shape[0] in _fitting(channels)
        if last and first:
            return f"has pictures of shape {shape}: which axis holds the channels cannot be told; give float32"
        if last or first:
            return None
    return f"has pictures of shape {shape}: expected (height, width, channels) with {wanted} channels"


def _is_channels_last(shape: tuple[int, ...], channels: int) -> bool:
    return shape[2] in _fitting(channels)


def _fitting(channels: int) -> frozenset[int]:
    """Grey and colour are turned into each other; other numbers of channels are taken as they are."""
    return frozenset({1, 3}) if channels in (1, 3) else frozenset({channels})
