"""Where images with several labels lie, and how they are told from images with a class. Nothing heavy is imported."""

from __future__ import annotations

from pathlib import Path

LABELS_FILE = "labels.csv"


def is_label_set(path: Path | str) -> bool:
    """Whether the folder has a labels.csv, or the archive's `labels` are a matrix. Nothing else is looked at."""
    path = Path(path)
    if path.is_dir():
        return (path / LABELS_FILE).is_file()
    if path.suffix != ".npz" or not path.is_file():
        return False
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as members:
            return "labels" in members.files and members["labels"].ndim > 1
    except Exception:  # noqa: BLE001 - what is wrong with it is said by whoever reads it as classes
        return False
