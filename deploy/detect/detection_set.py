"""A folder of pictures with boxes, as COCO writes them: `annotations.json` beside `images/`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from condmix.deploy.detect.location import ANNOTATIONS, IMAGES
from condmix.deploy.errors import ImagesError, OutputError, UnreadableFileError
from condmix.deploy.network_input import NetworkInput
from condmix.deploy.picture_files import read_picture
from condmix.runtime.detection.average_precision import Truth

if TYPE_CHECKING:
    from condmix.models.detection_data import DetectionPictures

PURPOSE = "detection"
_LARGEST = 1 << 28
_SHOWN = 10


@dataclass(frozen=True, kw_only=True, eq=False)
class DetectionSet:
    """Pictures by path, and what is on them. class_names: in the order of their ids in the file."""

    folder: Path
    pictures: tuple[Path, ...]
    truth: tuple[Truth, ...]
    class_names: tuple[str, ...]

    def inputs(self, network: NetworkInput) -> np.ndarray:
        """All pictures as the network takes them, (count, channels, height, width). Raises ImagesError naming all
        that cannot be read, and a preprocessing that cuts pictures, as then the boxes would be wrong."""
        preprocessing = network.preprocessing
        whole = preprocessing.crop_mode == "squash" and preprocessing.crop_fraction == 1.0
        if not whole:
            problem = (
                f"the network cuts pictures (crop_mode {preprocessing.crop_mode}, crop_fraction "
                f"{preprocessing.crop_fraction}), so boxes of whole pictures do not fit: expected crop_mode squash, 1.0"
            )
            raise ImagesError(self.folder, [problem], purpose=PURPOSE)
        problems, rows = [], []
        for picture in self.pictures:
            try:
                rows.append(read_picture(picture, network))
            except UnreadableFileError as error:
                problems.append(f"{picture.name}: {error}")
        if problems:
            raise ImagesError(self.folder, _some(problems), purpose=PURPOSE)
        return np.stack(rows)


def read_detection_set(folder: Path | str, class_names: Sequence[str] | None) -> DetectionSet:
    """The set in the folder; pictures without objects belong to it.

    class_names: of the network, which the set's must be, in any order, where both are known.
    Raises ImagesError with everything that is wrong with it.
    """
    folder = Path(folder)
    data = _read(folder)
    problems: list[str] = []
    names = _categories(data, class_names, problems)
    sizes = _pictures(data, problems)
    boxes: dict[object, list[list[float]]] = {key: [] for key in sizes}
    labels: dict[object, list[int]] = {key: [] for key in sizes}
    for index, entry in enumerate(_entries(data, "annotations", problems)):
        place = f"annotations[{index}]"
        picture, label = entry.get("image_id"), names.get(_key(entry.get("category_id")))
        box = entry.get("bbox")
        if _key(picture) not in sizes:
            problems.append(f"{place}: image_id {picture!r} is no image of the file")
        elif label is None:
            problems.append(f"{place}: category_id {entry.get('category_id')!r} is no category of the file")
        elif not isinstance(box, list) or not _is_box(box):
            problems.append(f"{place}: bbox is {box!r}, expected x, y, width, height in pixels")
        elif not entry.get("iscrowd"):
            _, width, height = sizes[_key(picture)]
            x, y, wide, high = map(float, box)
            boxes[_key(picture)].append([x / width, y / height, (x + wide) / width, (y + high) / height])
            labels[_key(picture)].append(label)
    if not sizes and not problems:
        problems.append("holds no images")
    if problems:
        raise ImagesError(folder / ANNOTATIONS, _some(problems), purpose=PURPOSE)
    order = sorted(names, key=lambda key: names[key])
    texts = {_key(entry["id"]): str(entry["name"]) for entry in data["categories"]}  # type: ignore[attr-defined]
    return DetectionSet(
        folder=folder,
        pictures=tuple(folder / IMAGES / name for name, _, _ in sizes.values()),
        truth=tuple(
            Truth(
                boxes_xyxy=np.array(boxes[key], np.float32).reshape(-1, 4),
                classes=np.array(labels[key], np.int64),
            )
            for key in sizes
        ),
        class_names=tuple(class_names) if class_names is not None else tuple(texts[key] for key in order),
    )


def write_detection_set(folder: Path, pictures: DetectionPictures) -> None:
    """The folder, which must not be there yet, holds the pictures as PNG and their boxes. Raises OutputError."""
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    try:
        (folder / IMAGES).mkdir(parents=True)
        for index, (pixels, boxes, labels) in enumerate(
            zip(pictures.pictures, pictures.boxes, pictures.labels, strict=True)
        ):
            height, width = pixels.shape[:2]
            name = pictures.names[index]
            Image.fromarray(pixels).save(folder / IMAGES / name)
            images.append({"id": index, "file_name": name, "width": width, "height": height})
            for box, label in zip(boxes.astype(np.float64) * (width, height, width, height), labels, strict=True):
                x, y, right, bottom = (round(float(value), 3) for value in box)
                annotations.append(
                    {
                        "id": len(annotations),
                        "image_id": index,
                        "category_id": int(label) + 1,
                        "bbox": [x, y, round(right - x, 3), round(bottom - y, 3)],
                        "area": round((right - x) * (bottom - y), 3),
                        "iscrowd": 0,
                    }
                )
        categories = [{"id": index + 1, "name": name} for index, name in enumerate(pictures.class_names)]
        content = {"images": images, "annotations": annotations, "categories": categories}
        (folder / ANNOTATIONS).write_text(json.dumps(content))
    except OSError as error:
        raise OutputError(folder, error) from error


def _read(folder: Path) -> Mapping[str, object]:
    path = folder / ANNOTATIONS
    try:
        if path.stat().st_size > _LARGEST:
            raise ImagesError(path, [f"has {path.stat().st_size} bytes, expected at most {_LARGEST}"], purpose=PURPOSE)
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        problem = f"{error.strerror}: expected a folder with {ANNOTATIONS} (COCO) beside {IMAGES}/"
        raise ImagesError(path, [problem], purpose=PURPOSE) from error
    except (ValueError, RecursionError) as error:
        raise ImagesError(path, [f"is no JSON: {error}"], purpose=PURPOSE) from error
    if not isinstance(data, dict):
        raise ImagesError(path, ["expected an object with images, annotations and categories"], purpose=PURPOSE)
    return data


def _categories(
    data: Mapping[str, object], class_names: Sequence[str] | None, problems: list[str]
) -> dict[object, int]:
    """The class of each category id: its place among the network's names, or else in the order of ids."""
    found: dict[object, str] = {}
    for index, entry in enumerate(_entries(data, "categories", problems)):
        if not isinstance(entry.get("name"), str) or not isinstance(entry.get("id"), int):
            problems.append(f"categories[{index}]: expected id (a whole number) and name")
            continue
        found[_key(entry["id"])] = str(entry["name"])
    if class_names is None:
        return {key: index for index, key in enumerate(sorted(found))}  # type: ignore[type-var]
    strangers = sorted(set(found.values()) - set(class_names))
    if strangers:
        problems.append(f"the network has no class {', '.join(strangers)}; its classes are {', '.join(class_names)}")
    return {key: list(class_names).index(name) for key, name in found.items() if name in class_names}


def _pictures(data: Mapping[str, object], problems: list[str]) -> dict[object, tuple[str, int, int]]:
    """File name, width and height by id."""
    found: dict[object, tuple[str, int, int]] = {}
    for index, entry in enumerate(_entries(data, "images", problems)):
        name, width, height = (entry.get(key) for key in ("file_name", "width", "height"))
        sound = isinstance(name, str) and Path(name).name == name and name not in ("", ".", "..")
        sized = all(isinstance(size, int) and size > 0 for size in (width, height))
        if not sound or not sized or not isinstance(entry.get("id"), int | str):
            problems.append(f"images[{index}]: expected id, file_name (of {IMAGES}/, no path), width and height")
            continue
        found[_key(entry["id"])] = (str(name), int(width), int(height))  # type: ignore[call-overload]
    return found


def _entries(data: Mapping[str, object], key: str, problems: list[str]) -> list[Mapping[str, object]]:
    value = data.get(key)
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        problems.append(f"{key}: expected a list of objects")
        return []
    return value


def _is_box(box: Sequence[object]) -> bool:
    return (
        len(box) == 4
        and all(isinstance(value, int | float) and math.isfinite(value) for value in box)
        and all(float(value) > 0 for value in box[2:])  # type: ignore[arg-type]  # numbers, as was just seen
    )


def _key(value: object) -> object:
    """Something that a dictionary takes."""
    return value if isinstance(value, int | str) else None


def _some(problems: Sequence[str]) -> list[str]:
    more = len(problems) - _SHOWN
    return [*problems[:_SHOWN], *([f"and {more} more"] if more > 0 else [])]
