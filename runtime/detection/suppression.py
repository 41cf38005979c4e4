"""Non-maximum suppression as ONNX defines it, for files that end before it: TFLite files, raw and decoded ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from condmix.runtime.detection.boxes import pairwise_iou
from condmix.runtime.detection.settings import SuppressionSettings


@dataclass(frozen=True, kw_only=True, eq=False)
class Detections:
    """What was found on one picture, best first.

    boxes_xyxy (count, 4) in shares of the picture; scores (count,); classes (count,) from 0; anchors (count,): which
    of the network's boxes each was.
    """

    boxes_xyxy: np.ndarray
    scores: np.ndarray
    classes: np.ndarray
    anchors: np.ndarray

    def __len__(self) -> int:
        return len(self.scores)


def suppress(boxes_xyxy: np.ndarray, scores: np.ndarray, settings: SuppressionSettings) -> Detections:
    """The detections among the boxes (anchors, 4) with probabilities (anchors, classes) of one picture.

    Equal scores go by class, then by the box's place. Source: ONNX, NonMaxSuppression-11 and TopK-11.
    """
    kept_scores: list[float] = []
    kept: list[tuple[int, int]] = []
    for label in range(scores.shape[1]):
        for anchor in _kept_of_class(boxes_xyxy, scores[:, label], settings):
            kept.append((label, anchor))
            kept_scores.append(scores[anchor, label])
    order = np.argsort(-np.array(kept_scores, np.float32), kind="stable")[: settings.max_detections]
    places = np.array(kept, np.int64).reshape(-1, 2)[order]
    return Detections(
        boxes_xyxy=boxes_xyxy[places[:, 1]],
        scores=np.array(kept_scores, np.float32)[order],
        classes=places[:, 0],
        anchors=places[:, 1],
    )


def _kept_of_class(boxes_xyxy: np.ndarray, scores: np.ndarray, settings: SuppressionSettings) -> list[int]:
    """Places of the boxes of one class that stay, best first, in ascending order of place."""
    candidates = np.flatnonzero(scores > np.float32(settings.score_threshold))
    candidates = candidates[np.argsort(-scores[candidates], kind="stable")]
    overlap = pairwise_iou(boxes_xyxy[candidates], boxes_xyxy[candidates])
    alive = np.ones(len(candidates), bool)
    kept: list[int] = []
    for index, anchor in enumerate(candidates):
        if not alive[index]:
            continue
        kept.append(int(anchor))
        if len(kept) == settings.max_detections:
            break
        alive &= ~(overlap[index] > np.float32(settings.iou_threshold))
    return sorted(kept)


def from_fixed_size(outputs: Mapping[str, np.ndarray]) -> list[Detections]:
    """The detections of each picture in the outputs of a file with suppression inside; anchors are unknown: -1."""
    found = []
    for index, count in enumerate(outputs["detection_count"]):
        found.append(
            Detections(
                boxes_xyxy=outputs["detection_boxes"][index, :count],
                scores=outputs["detection_scores"][index, :count],
                classes=outputs["detection_classes"][index, :count],
                anchors=np.full(int(count), -1, np.int64),
            )
        )
    return found
