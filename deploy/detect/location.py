"""Where a set with boxes lies, and how it is told from other folders. Nothing heavy is imported."""

from __future__ import annotations

from pathlib import Path

ANNOTATIONS, IMAGES = "annotations.json", "images"


def is_detection_set(path: Path | str) -> bool:
    """Whether the folder holds annotations."""
    return (Path(path) / ANNOTATIONS).is_file()
