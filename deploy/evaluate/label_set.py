"""Images of which several labels may hold at once: a matrix in a .npz, or labels.csv beside pictures."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from condmix.deploy.class_labels import shown
from condmix.deploy.errors import ImagesError
from condmix.deploy.evaluate.label_location import LABELS_FILE
from condmix.deploy.image_sources import FolderSource, ImageSource, npz_source
from condmix.deploy.network_input import NetworkInput

PURPOSE = "evaluation"
HEADER = ["file", "labels"]
BETWEEN = ";"


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelSet:
    """Images (count, channels, height, width) as the network takes them, and which labels hold: (count, labels)."""

    path: Path
    images_nchw: np.ndarray
    truth: np.ndarray


def read_label_set(path: Path, network: NetworkInput, label_count: int) -> LabelSet:
    """All images and their labels. Raises ImagesError with everything that stands against them."""
    if path.is_dir():
        folder = FolderSource(path, network, None, use_labels=False)
        names = [picture.relative_to(path).as_posix() for picture in folder.pictures]
        truth = _of_table(path / LABELS_FILE, names, network.class_names, label_count)
        return LabelSet(path=path, images_nchw=_images(folder, path), truth=truth)
    with np.load(path, allow_pickle=False) as members:
        labels = members["labels"]
    source = npz_source(path, network, None, use_labels=False)
    wanted = (source.count, label_count)
    if labels.shape != wanted or labels.dtype.kind not in "bui" or not np.isin(labels, (0, 1)).all():
        problem = f"labels are {labels.dtype} of shape {labels.shape}: expected 0 and 1 of shape {wanted}"
        raise ImagesError(path, [problem], purpose=PURPOSE)
    return LabelSet(path=path, images_nchw=_images(source, path), truth=labels.astype(bool))


def _images(source: ImageSource, path: Path) -> np.ndarray:
    found, problems = [], []
    for item in source.items(range(source.count or 0)):
        if isinstance(item.found, str):
            problems.append(f"{item.name}: {item.found}")
        else:
            found.append(item.found)
    if problems or not found:
        raise ImagesError(path, problems or ["holds no images"], purpose=PURPOSE)
    return np.stack(found)


def _of_table(path: Path, names: Sequence[str], class_names: Sequence[str] | None, count: int) -> np.ndarray:
    """The rows of labels.csv as a matrix in the order of the pictures; labels by name, else by number from 0."""
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.reader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ImagesError(path, [f"cannot be read: {error}"], purpose=PURPOSE) from error
    if not rows or rows[0] != HEADER or any(len(row) != len(HEADER) for row in rows[1:]):
        problem = f"expected the columns {','.join(HEADER)}, labels divided by '{BETWEEN}'"
        raise ImagesError(path, [problem], purpose=PURPOSE)
    known = list(class_names) if class_names is not None else [str(number) for number in range(count)]
    told = {name: [label for label in labels.split(BETWEEN) if label] for name, labels in rows[1:]}
    problems = []
    for title, found in (
        ("pictures without a row", sorted(set(names) - set(told))),
        ("rows without a picture", sorted(set(told) - set(names))),
        ("labels that the network does not know", sorted({one for row in told.values() for one in row} - set(known))),
    ):
        if found:
            problems.append(f"{len(found)} {title}: {shown(found)}")
    if len(told) != len(rows) - 1:
        problems.append("a picture has two rows")
    if problems:
        raise ImagesError(path, problems, purpose=PURPOSE)
    truth = np.zeros((len(names), count), dtype=bool)
    for row, name in enumerate(names):
        truth[row, [known.index(label) for label in told[name]]] = True
    return truth
