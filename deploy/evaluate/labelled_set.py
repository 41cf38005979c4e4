"""The labelled images: which there are, of what class each is, and the hash of each; none is kept in memory here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from condmix.deploy.errors import ImagesError
from condmix.deploy.evaluate.errors import NotTheSameError
from condmix.deploy.evaluate.image_reader import array_sha256
from condmix.deploy.evaluate.intake import Intake
from condmix.deploy.evaluate.job import LabelledImage, SourceKind
from condmix.deploy.evaluate.model_source import sha256_of
from condmix.deploy.image_checks import ImageChecks
from condmix.deploy.image_sources import ArraySource, FolderSource, npz_source
from condmix.deploy.input_arrays import shape_problem

PURPOSE = "evaluation"
EXPECTED = "a folder with one folder of pictures a class, or a .npz with `images` and `labels`"
ABSENT = f"has no labels: expected {EXPECTED}"
HASHES_BETWEEN_WORDS = 100


@dataclass(frozen=True, kw_only=True)
class LabelledSet:
    """All images in a fixed order. path: absolute, the same on every machine that measures."""

    kind: SourceKind
    path: Path
    images: tuple[LabelledImage, ...]

    @property
    def sha256(self) -> str:
        """Of all images and labels in their order; names are not in it."""
        digest = hashlib.sha256()
        for image in self.images:
            digest.update(f"{image.sha256} {image.label}\n".encode())
        return digest.hexdigest()


def open_labelled_set(
    path: Path, intakes: Sequence[Intake], class_count: int, report_progress: Callable[[str], None]
) -> LabelledSet:
    """The images at `path`, each hashed, their labels as the files number their classes.

    intakes: of all files, the first of them with the class names. Pictures are only read when they are measured; the
    numbers of an archive are checked here.
    Raises ImagesError naming everything that stands against them.
    """
    first = intakes[0]
    try:
        if path.is_dir():
            return _of_folder(path, FolderSource(path, first, class_count), intakes, report_progress)
        if path.is_file() and path.suffix == ".npz":
            return _of_array(path, npz_source(path, first, class_count), intakes, report_progress)
    except ImagesError as error:
        raise ImagesError(path, error.problems, purpose=PURPOSE) from error
    found = f"a file named {path.suffix or 'without a suffix'}" if path.exists() else "no such file or folder"
    raise ImagesError(path, [f"expected {EXPECTED}; found {found}"], purpose=PURPOSE)


def _of_folder(
    path: Path, source: FolderSource, intakes: Sequence[Intake], report_progress: Callable[[str], None]
) -> LabelledSet:
    if source.labels is None:
        raise ImagesError(path, [ABSENT], purpose=PURPOSE)
    problems = _preprocessing_problems(intakes)
    images = []
    for number, (picture, label) in enumerate(zip(source.pictures, source.labels, strict=True), start=1):
        try:
            digest = sha256_of(picture)
        except NotTheSameError as error:
            problems.append(str(error))
            continue
        images.append(LabelledImage(name=picture.relative_to(path).as_posix(), sha256=digest, label=label))
        _tell(report_progress, number, len(source.pictures))
    if problems:
        raise ImagesError(path, problems, purpose=PURPOSE)
    return LabelledSet(kind=SourceKind.FOLDER, path=path.absolute(), images=tuple(images))


def _of_array(
    path: Path, source: ArraySource, intakes: Sequence[Intake], report_progress: Callable[[str], None]
) -> LabelledSet:
    array = source.array
    problems = [] if source.labels is not None else [ABSENT]
    if not len(array):
        problems.append("holds no images")
    if array.dtype == np.uint8:
        problems += _preprocessing_problems(intakes)
    for intake in intakes[1:]:
        problem = shape_problem(array.shape[1:], array.dtype, intake)
        problems += [] if problem is None or problem in problems else [problem]
    if not problems and array.dtype != np.uint8 and intakes[0].says_preprocessing:
        checks = ImageChecks(intakes[0].preprocessing)
        for place, image in enumerate(array):
            checks.see(f"image {place}", np.asarray(image, np.float32))
        problems += checks.problems
    if problems:
        raise ImagesError(path, problems, purpose=PURPOSE)
    assert source.labels is not None
    images = []
    for place, label in enumerate(source.labels):
        images.append(LabelledImage(name=f"image {place}", sha256=array_sha256(array[place]), label=label))
        _tell(report_progress, place + 1, len(array))
    return LabelledSet(kind=SourceKind.ARRAY, path=path.absolute(), images=tuple(images))


def _preprocessing_problems(intakes: Sequence[Intake]) -> list[str]:
    if all(intake.says_preprocessing for intake in intakes):
        return []
    return [
        "holds pictures, and no file says how a picture becomes its input: give the images preprocessed (float32 in a "
        ".npz), or add a file of the same network that condmix exported"
    ]


def _tell(report_progress: Callable[[str], None], number: int, total: int) -> None:
    if number % HASHES_BETWEEN_WORDS == 0 or number == total:
        report_progress(f"hash the images ({number} of {total})")
