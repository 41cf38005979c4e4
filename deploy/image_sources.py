"""Where images of the user's own come from: folders, arrays, a function, or chance. They are read when asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from condmix.deploy.class_labels import Labels, class_of_folders, labels_from_array
from condmix.deploy.errors import ImagesError, UnreadableFileError
from condmix.deploy.input_arrays import input_or_problem, shape_problem
from condmix.deploy.network_input import NetworkInput
from condmix.deploy.picture_files import PICTURE_SUFFIXES, Images, pictures_in, read_picture

PURPOSE = "calibration"
SEED = 20190410
COARSEST = 4
"""Random pictures are noise at sizes from this to the network's own."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Item:
    """One image by name: preprocessed (channels, height, width), or why it cannot be."""

    name: str
    found: Images | str
    label: int | None = None


class ImageSource(Protocol):
    """A set of images that can be gone through as often as wanted."""

    @property
    def name(self) -> str:
        """As the user would call it."""
        ...

    @property
    def count(self) -> int | None:
        """How many there are; None when only going through them tells."""
        ...

    def items(self, places: Sequence[int]) -> Iterator[Item]:
        """The images at these places, ascending; fewer where the source ends before."""
        ...


class FolderSource:
    """Pictures in a folder, or in folders of it that are called like their classes."""

    def __init__(self, path: Path, network: NetworkInput, class_count: int | None, *, use_labels: bool = True) -> None:
        self.name = path.name or str(path)
        self._root, self._network = path, network
        own = pictures_in(path)
        inside = {entry.name: pictures_in(entry) for entry in sorted(path.iterdir()) if _may_be_class(entry)}
        classes = {name: pictures for name, pictures in inside.items() if pictures}
        if own and classes and use_labels:
            mixed = f"holds {len(own)} pictures beside class folders ({', '.join(classes)}): expected one or the other"
            raise ImagesError(path, [mixed], purpose=PURPOSE)
        self._pictures = [*own, *(picture for pictures in classes.values() for picture in pictures)]
        self._labels: list[int] | None = None
        if not self._pictures:
            kinds = ", ".join(sorted(PICTURE_SUFFIXES))
            empty = f"holds no pictures ({kinds}), neither in itself nor in its folders"
            raise ImagesError(path, [empty], purpose=PURPOSE)
        if classes and use_labels:
            numbers = class_of_folders(list(classes), network.class_names, class_count)
            if isinstance(numbers, str):
                raise ImagesError(path, [numbers], purpose=PURPOSE)
            self._labels = [numbers[name] for name, pictures in classes.items() for _ in pictures]

    @property
    def count(self) -> int:
        return len(self._pictures)

    @property
    def pictures(self) -> tuple[Path, ...]:
        """All of them, in order."""
        return tuple(self._pictures)

    @property
    def labels(self) -> tuple[int, ...] | None:
        """The class of each; None where the folder has no class folders."""
        return None if self._labels is None else tuple(self._labels)

    def items(self, places: Sequence[int]) -> Iterator[Item]:
        for place in places:
            picture = self._pictures[place]
            found: Images | str
            try:
                found = read_picture(picture, self._network)
            except UnreadableFileError as error:
                found = str(error)
            label = None if self._labels is None else self._labels[place]
            yield Item(name=picture.relative_to(self._root).as_posix(), found=found, label=label)


class ArraySource:
    """An array of images, the first axis counting them; with labels, or without."""

    def __init__(self, name: str, array: np.ndarray, labels: Labels | None, network: NetworkInput) -> None:
        self.name = name
        self._array, self._labels, self._network = array, labels, network

    @property
    def count(self) -> int:
        return len(self._array)

    @property
    def array(self) -> np.ndarray:
        """The images as they were given."""
        return self._array

    @property
    def labels(self) -> tuple[int, ...] | None:
        """The class of each; None where they are not known."""
        return None if self._labels is None else tuple(self._labels.tolist())

    def items(self, places: Sequence[int]) -> Iterator[Item]:
        for place in places:
            label = None if self._labels is None else int(self._labels[place])
            found = input_or_problem(np.asarray(self._array[place]), self._network)
            yield Item(name=f"image {place}", found=found, label=label)


class RandomSource:
    """Seeded noise of several coarsenesses, through the network's own preprocessing: its range is right, no more."""

    name = "random"

    def __init__(self, count: int, network: NetworkInput) -> None:
        self._count, self._network = count, network

    @property
    def count(self) -> int:
        return self._count

    def items(self, places: Sequence[int]) -> Iterator[Item]:
        channels, height, width = self._network.input_size
        for place in places:
            generator = np.random.default_rng([SEED, place])
            size = int(generator.integers(COARSEST, max(height, width, COARSEST) + 1))
            picture = generator.integers(0, 256, (size, size, channels), dtype=np.uint8)
            yield Item(name=f"random image {place}", found=input_or_problem(picture, self._network))


def npy_source(path: Path, network: NetworkInput) -> ArraySource:
    """The images in a .npy, which stay on the disk until they are asked for. Raises ImagesError."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ImagesError(path, [f"is not a NumPy array of numbers: {error}"], purpose=PURPOSE) from error
    problem = _array_problem(array, network)
    if problem is not None:
        raise ImagesError(path, [problem], purpose=PURPOSE)
    return ArraySource(path.name, array, None, network)


def npz_source(path: Path, network: NetworkInput, class_count: int | None, *, use_labels: bool = True) -> ArraySource:
    """`images` of a .npz with `labels` and `class_names` where it has them, held in memory. Raises ImagesError."""
    members = _npz_members(path)
    images = members.get("images")
    if images is None:
        absent = f"holds {', '.join(members) or 'nothing'}: expected an array called images"
        raise ImagesError(path, [absent], purpose=PURPOSE)
    problems = []
    problem = _array_problem(images, network)
    if problem is not None:
        problems.append(problem)
    labels: Labels | None = None
    if "labels" in members and images.ndim and use_labels:
        names = members.get("class_names")
        own_names = None if names is None else [str(name) for name in names.reshape(-1)]
        found = labels_from_array(members["labels"], len(images), own_names, network.class_names, class_count)
        if isinstance(found, str):
            problems.append(found)
        else:
            labels = found
    if problems:
        raise ImagesError(path, problems, purpose=PURPOSE)
    return ArraySource(path.name, images, labels, network)


def _npz_members(path: Path) -> dict[str, np.ndarray]:
    import zipfile
    import zlib

    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        # A .npy under that name has no context manager and no `files`.
        raise ImagesError(path, [f"is not a NumPy archive of numbers: {error}"], purpose=PURPOSE) from error


def _array_problem(array: np.ndarray, network: NetworkInput) -> str | None:
    if array.ndim != 4:
        wanted = ", ".join(map(str, network.input_size))
        return f"has shape {array.shape}: expected (count, {wanted}), or (count, height, width, channels) in uint8"
    return shape_problem(array.shape[1:], array.dtype, network)


def _may_be_class(entry: Path) -> bool:
    return entry.is_dir() and not entry.name.startswith((".", "__"))
