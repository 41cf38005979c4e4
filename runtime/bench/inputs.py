"""What is fed to a subject: images in turn, as many in a run as the file takes, in its own layout and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from condmix.runtime.audit.example_inputs import example_inputs
from condmix.runtime.errors import InvalidSettingError
from condmix.runtime.records import unknown_name
from condmix.runtime.signature import Signature, Tensor, TensorSpec

Inputs: TypeAlias = Mapping[str, Mapping[str, Tensor]]
"""Subject name -> input name -> [N, ...], one single image a row; subjects that are not in it get others."""

RANDOM_INPUTS = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class Feeds:
    """The arrays of one subject, fed in turn.

    arrays: input name -> [K, ...], one whole feed a row.
    image_of_row: [K, batch] which of the N images lies in which row of which feed.
    source: "reference", "given" or "random".
    """

    arrays: Mapping[str, Tensor]
    image_of_row: np.ndarray
    source: str

    @property
    def count(self) -> int:
        """K."""
        return len(self.image_of_row)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of one run, by input name."""
        return {name: tuple(array.shape[1:]) for name, array in self.arrays.items()}


def feeds_of_images(
    images: Mapping[str, Tensor],
    signature: Signature,
    *,
    source: str,
    batch: int | None = None,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    scales: Mapping[str, tuple[float, int]] | None = None,
) -> Feeds:
    """N images of each input, [N, ...], as the file takes them: stacked to its batch, every image at least once.

    An image (C, H, W) for a file that takes (H, W, C) is turned round. scales: (scale, zero point) of inputs that the
    file stores as integers; images are real numbers then, and rounded.

    Raises InvalidSettingError with everything that does not fit.
    """
    specs = {spec.name: spec for spec in signature.inputs}
    if len(images) == 1 and len(specs) == 1:  # two files may call their only input differently
        images = {next(iter(specs)): next(iter(images.values()))}
    problems = [unknown_name(name, specs) for name in images if name not in specs]
    problems += [f"there is no array for the input {name!r}" for name in specs if name not in images]
    counts = {name: len(array) if array.ndim else 0 for name, array in images.items()}
    if len(set(counts.values())) > 1 or 0 in counts.values():
        listed = ", ".join(f"{name!r} has {count}" for name, count in counts.items())
        problems.append(f"all inputs must have the same number of images, at least one: {listed}")
    if problems:
        raise InvalidSettingError(problems, record="inputs")
    asked = {name: (shapes or {}).get(name, ())[:1] for name in specs}
    rows = {name: _rows(spec, batch, asked[name], problems) for name, spec in specs.items()}
    if len(set(rows.values())) > 1:
        problems.append(f"inputs take different numbers of images: {rows}")
    fitted = {}
    for name, spec in specs.items():
        array = _fitting(images[name], spec, (shapes or {}).get(name), problems)
        fitted[name] = _stored(array, spec, (scales or {}).get(name), problems)
    if problems:
        raise InvalidSettingError(problems, record="inputs")
    count, size = next(iter(counts.values())), next(iter(rows.values()))
    image_of_row = np.arange(-(-count // size) * size).reshape(-1, size) % count
    arrays = {
        # A file without a batch axis takes the image itself.
        name: np.ascontiguousarray(fitted[name][image_of_row] if _has_batch(spec) else fitted[name][image_of_row[:, 0]])
        for name, spec in specs.items()
    }
    return Feeds(arrays=arrays, image_of_row=image_of_row, source=source)


def random_feeds(
    signature: Signature, *, seed: int, batch: int | None = None, shapes: Mapping[str, tuple[int, ...]] | None = None
) -> Feeds:
    """Some seeded arrays of the shapes that the file states, free ones as asked for.

    Raises InvalidSettingError naming every shape that is missing or does not fit.
    """
    asked = dict(shapes or {})
    problems: list[str] = []
    for spec in signature.inputs:
        size = _rows(spec, batch, asked.get(spec.name, ())[:1], problems)
        if spec.name not in asked and spec.shape and isinstance(spec.shape[0], str):
            lengths = (size, *(spec.usual or spec.shape)[1:])
            if all(isinstance(length, int) for length in lengths):
                asked[spec.name] = tuple(int(length) for length in lengths)
    if problems:
        raise InvalidSettingError(problems, record="inputs")
    drawn = [example_inputs(signature, asked, seed=seed + place) for place in range(RANDOM_INPUTS)]
    arrays = {spec.name: np.stack([one[spec.name] for one in drawn]) for spec in signature.inputs}
    return Feeds(arrays=arrays, image_of_row=np.arange(RANDOM_INPUTS).reshape(-1, 1), source="random")


def _has_batch(spec: TensorSpec) -> bool:
    return len(spec.shape) >= 2


def _rows(spec: TensorSpec, batch: int | None, asked: tuple[int, ...], problems: list[str]) -> int:
    """Images in one run, from the file, the batch, or the shape asked for."""
    if not _has_batch(spec):
        return batch or 1
    stated = spec.shape[0]
    if isinstance(stated, int):
        if batch is not None and batch != stated:
            problems.append(f"batch is {batch}, but {spec.name!r} takes {stated} at a time, fixed in the file")
        return stated
    return batch or (asked[0] if asked else 1)


def _fitting(array: Tensor, spec: TensorSpec, asked: tuple[int, ...] | None, problems: list[str]) -> Tensor:
    """[N, ...] in the file's layout."""
    wanted = tuple(spec.shape[1:] if _has_batch(spec) else spec.shape)
    if asked is not None and _has_batch(spec):
        wanted = tuple(
            length if isinstance(length, int) else given for length, given in zip(wanted, asked[1:], strict=False)
        )
    if _fits(array.shape[1:], wanted):
        return array
    if array.ndim == 4 and _fits((*array.shape[2:], array.shape[1]), wanted):
        return np.asarray(array.transpose(0, 2, 3, 1))
    text = "x".join(map(str, wanted)) or "a single number"
    problems.append(f"an image of {spec.name!r} is {'x'.join(map(str, array.shape[1:]))}, the file takes {text}")
    return array


def _fits(shape: tuple[int, ...], wanted: tuple[int | str, ...]) -> bool:
    return len(shape) == len(wanted) and all(
        isinstance(stated, str) or stated == length for stated, length in zip(wanted, shape, strict=True)
    )


def _stored(array: Tensor, spec: TensorSpec, scale: tuple[float, int] | None, problems: list[str]) -> Tensor:
    """The numbers as the file stores them."""
    dtype = np.dtype(spec.dtype)
    if array.dtype == dtype:
        return array
    if dtype.kind == "f" and array.dtype.kind == "f":
        return array.astype(dtype)
    if dtype.kind in "iu" and array.dtype.kind == "f" and scale is not None:
        limits = np.iinfo(dtype)
        rounded = np.rint(array.astype(np.float64) / scale[0]) + scale[1]
        return np.asarray(np.clip(rounded, limits.min, limits.max), dtype=dtype)
    problems.append(f"{spec.name!r} takes {dtype.name}, the images are {array.dtype.name}, and no scale is known")
    return array
