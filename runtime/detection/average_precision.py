"""Mean average precision, as the COCO evaluation defines it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from condmix.runtime.detection.boxes import pairwise_iou
from condmix.runtime.detection.suppression import Detections
from condmix.runtime.errors import InvalidSettingError

COCO_IOUS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
_RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True, kw_only=True, eq=False)
class Truth:
    """The objects on one picture: boxes_xyxy (count, 4) in shares of it, classes (count,) from 0."""

    boxes_xyxy: np.ndarray
    classes: np.ndarray


@dataclass(frozen=True, kw_only=True)
class AveragePrecision:
    """The mean over classes that occur, at an intersection over union of 0.5, and over 0.5 to 0.95; and of each class
    at 0.5 (None for one that no picture shows)."""

    at_50: float
    at_50_to_95: float
    of_class_at_50: tuple[float | None, ...]
    picture_count: int
    object_count: int


def mean_average_precision(
    found: Sequence[Detections], truth: Sequence[Truth], *, class_count: int
) -> AveragePrecision:
    """The precision of the detections, averaged over recall: 101 points, precision made falling.

    Each detection, best score first, takes the object of its class and picture that it overlaps most among those not
    yet taken. Raises InvalidSettingError unless there is truth for each picture, and one object at least.
    Source: Lin et al., arXiv 1405.0312, and the COCO evaluation code (all areas; at most the detections given).
    """
    objects = sum(len(item.classes) for item in truth)
    problems = []
    if len(found) != len(truth):
        problems.append(f"there are detections of {len(found)} pictures and the truth of {len(truth)}")
    if not objects:
        problems.append("no picture shows an object: there is no recall")
    if problems:
        raise InvalidSettingError(problems, record="mean average precision")
    precisions = np.full((class_count, len(COCO_IOUS)), np.nan)
    for label in range(class_count):
        if any((item.classes == label).any() for item in truth):
            precisions[label] = [_of_class(found, truth, label, iou) for iou in COCO_IOUS]
    seen = precisions[~np.isnan(precisions[:, 0])]
    return AveragePrecision(
        at_50=float(seen[:, 0].mean()),
        at_50_to_95=float(seen.mean()),
        of_class_at_50=tuple(None if np.isnan(value) else float(value) for value in precisions[:, 0]),
        picture_count=len(truth),
        object_count=objects,
    )


def _of_class(found: Sequence[Detections], truth: Sequence[Truth], label: int, iou: float) -> float:
    scores: list[np.ndarray] = []
    right: list[np.ndarray] = []
    objects = 0
    for own, real in zip(found, truth, strict=True):
        chosen = own.classes == label
        boxes = real.boxes_xyxy[real.classes == label]
        objects += len(boxes)
        scores.append(own.scores[chosen])
        right.append(_hits(own.boxes_xyxy[chosen], own.scores[chosen], boxes, iou))
    order = np.argsort(-np.concatenate(scores), kind="stable")
    hits = np.concatenate(right)[order].cumsum()
    if not len(hits):
        return 0.0
    recall = hits / objects
    precision = np.maximum.accumulate((hits / np.arange(1, len(hits) + 1))[::-1])[::-1]
    places = np.searchsorted(recall, _RECALLS - 1e-12, side="left")
    return float(np.concatenate((precision, [0.0]))[places].mean())


def _hits(boxes: np.ndarray, scores: np.ndarray, real: np.ndarray, iou: float) -> np.ndarray:
    """Which detections of one picture and class are right, in the order given."""
    hits = np.zeros(len(boxes), bool)
    if not len(real):
        return hits
    overlap = pairwise_iou(boxes, real)
    for index in np.argsort(-scores, kind="stable"):
        best = int(overlap[index].argmax())
        if overlap[index, best] >= iou:
            hits[index] = True
            overlap[:, best] = -1.0
    return hits
