"""Images of the labelled set on the machine that measures: read by path, and only what was hashed at the beginning."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from condmix.deploy.errors import ImagesError, UnreadableFileError
from condmix.deploy.evaluate.errors import NotTheSameError
from condmix.deploy.evaluate.job import LabelledImage, SourceKind
from condmix.deploy.evaluate.model_source import sha256_of
from condmix.deploy.image_sources import npz_source
from condmix.deploy.input_arrays import input_or_problem
from condmix.deploy.network_input import NetworkInput
from condmix.deploy.picture_files import Images, read_picture


class ImageReader(Protocol):
    """Reads images of one set."""

    def read(self, place: int, image: LabelledImage, intake: NetworkInput) -> Images:
        """The image, preprocessed, (channels, height, width).

        Raises NotTheSameError where it has changed, UnreadableFileError or ImagesError where it is no image.
        """
        ...


def reader_of(kind: SourceKind, path: Path) -> ImageReader:
    """The reader of a folder or an archive. Raises nothing yet."""
    return FolderReader(path) if kind is SourceKind.FOLDER else ArrayReader(path)


class FolderReader:
    """Pictures by their path in the folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, place: int, image: LabelledImage, intake: NetworkInput) -> Images:
        del place
        path = self._root / image.name
        if sha256_of(path) != image.sha256:
            raise _changed(str(path))
        return read_picture(path, intake)


class ArrayReader:
    """Images of a .npz by their place, all held in memory from the first one read on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._array: np.ndarray | None = None

    def read(self, place: int, image: LabelledImage, intake: NetworkInput) -> Images:
        if self._array is None:
            try:
                self._array = npz_source(self._path, intake, None, use_labels=False).array
            except ImagesError as error:
                message = f"{self._path}: {'; '.join(error.problems)}"
                raise NotTheSameError(message) from error
        if place >= len(self._array) or array_sha256(self._array[place]) != image.sha256:
            where = f"{self._path}, {image.name},"
            raise _changed(where)
        found = input_or_problem(self._array[place], intake)
        if isinstance(found, str):
            raise UnreadableFileError(found)
        return found


def read_range(reader: ImageReader, start: int, images: Sequence[LabelledImage], intake: NetworkInput) -> np.ndarray:
    """The images, stacked. Raises NotTheSameError or UnreadableFileError naming all that cannot be used."""
    found: list[Images] = []
    changed: list[str] = []
    unreadable: list[str] = []
    for offset, image in enumerate(images):
        try:
            found.append(reader.read(start + offset, image, intake))
        except NotTheSameError as error:
            changed.append(str(error))
        except UnreadableFileError as error:
            unreadable.append(f"{image.name}: {error}")
    if unreadable:
        raise UnreadableFileError("; ".join((*unreadable, *changed)))
    if changed:
        raise NotTheSameError("; ".join(dict.fromkeys(changed)))
    return np.stack(found)


def array_sha256(image: np.ndarray) -> str:
    """Of the numbers with their type and shape."""
    digest = hashlib.sha256(f"{image.dtype.str} {image.shape}".encode())
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


def _changed(place: str) -> NotTheSameError:
    message = f"{place} is not the image that was hashed at the beginning"
    return NotTheSameError(message)
