"""Where a set with boxes lies, and how it is told from other folders. Nothing heavy is imported."""

from __future__ import annotations

from pathlib import Path

from condmix.deploy.errors import OutputError

ANNOTATIONS, IMAGES = "annotations.json", "images"


def make_folder(folder: Path) -> None:
    """The folder is there. Raises OutputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(folder, error) from error


def is_detection_set(path: Path | str) -> bool:
    """Whether the folder holds annotations."""
    return (Path(path) / ANNOTATIONS).is_file()
