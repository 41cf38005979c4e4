"""What travels to a worker and back: the files, where images are, a range of them, and what was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from condmix.deploy.evaluate.image_rows import ImageRows
from condmix.deploy.evaluate.intake import Intake
from condmix.deploy.evaluate.model_source import ModelSource


@dataclass(frozen=True, kw_only=True)
class EvalFile:
    """One file. batch: images a call. class_count: scores an image. shown: as the user gave it. output: that scores."""

    name: str
    shown: str
    source: ModelSource
    engine: str
    size_bytes: int
    intake: Intake
    batch: int
    class_count: int
    output: str | None = None


@dataclass(frozen=True, kw_only=True)
class LabelledImage:
    """One image. name: its path in the folder, or its place in the array. sha256: of the file, or of the array."""

    name: str
    sha256: str
    label: int


class SourceKind(StrEnum):
    """What the images lie in."""

    FOLDER = "folder"
    ARRAY = "array"


@dataclass(frozen=True, kw_only=True)
class EvalJob:
    """All that the ranges share. yardstick: place of the file that others are compared with.

    versions: package -> version, which a worker must have.
    """

    files: tuple[EvalFile, ...]
    yardstick: int
    images_kind: SourceKind
    images_path: Path
    versions: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class RangeTask:
    """Images `start` up to `start + len(images)` of the set, and which files (by place) are to be run on them."""

    start: int
    images: tuple[LabelledImage, ...]
    files: tuple[int, ...]

    @property
    def words(self) -> str:
        """As messages call it."""
        return f"images {self.start} to {self.start + len(self.images) - 1}"


class FailureKind(StrEnum):
    """What a failure is about: images that cannot be read or have changed, a file or its engine, the worker."""

    IMAGES = "images"
    FILE = "file"
    WORKER = "worker"


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why some files (by place) have no result on a range."""

    files: tuple[int, ...]
    kind: FailureKind
    reason: str


@dataclass(frozen=True, kw_only=True)
class RangeOutcome:
    """What came of a task: rows by the place of their file, and failures. machine: the CPU that computed."""

    task: RangeTask
    rows: Mapping[int, ImageRows]
    failures: tuple[Failure, ...]
    machine: str
