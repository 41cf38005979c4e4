"""Whether two files find the same: every box of the one has its partner in the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from condmix.runtime.detection.boxes import pairwise_iou
from condmix.runtime.detection.suppression import Detections

SAME_IOU = 0.99


@dataclass(frozen=True, kw_only=True)
class BoxMatch:
    """How many of the reference's boxes have a partner: a box of the same class that overlaps by `least_iou`.

    ties: boxes without one that the other file had too, at the same anchor and as exactly, its score within the margin,
    but left out by a hair: at the threshold, or because suppression preferred a neighbour with an equal score.
    missing: all others. extra: the other file's own boxes without a partner, ties apart.
    """

    boxes: int
    matched: int
    ties: int
    extra: int
    least_iou: float

    @property
    def missing(self) -> int:
        """Boxes that the other file does not have."""
        return self.boxes - self.matched - self.ties

    @property
    def complete(self) -> bool:
        """Every box has its partner or was a tie, and nothing else was found."""
        return not self.missing and not self.extra

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {**asdict(self), "missing": self.missing}


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidates:
    """All boxes of one picture before suppression: boxes_xyxy (anchors, 4), scores (anchors, classes); and what
    suppression left of them."""

    boxes_xyxy: np.ndarray
    scores: np.ndarray
    kept: Detections


def match_boxes(
    reference: Sequence[Candidates], other: Sequence[Candidates], *, margin: float, least_iou: float = SAME_IOU
) -> BoxMatch:
    """Partners over all pictures. margin: how far scores may lie apart and still be taken for equal."""
    boxes = matched = ties = extra = 0
    for own, their in zip(reference, other, strict=True):
        partner = _partners(own.kept, their.kept, least_iou)
        boxes += len(own.kept)
        matched += int(partner.sum())
        ties += _ties(own.kept, ~partner, their, margin, least_iou)
        back = _partners(their.kept, own.kept, least_iou)
        extra += int((~back).sum()) - _ties(their.kept, ~back, own, margin, least_iou)
    return BoxMatch(boxes=boxes, matched=matched, ties=ties, extra=extra, least_iou=least_iou)


def _partners(own: Detections, their: Detections, least_iou: float) -> np.ndarray:
    """Which of the one's boxes have a partner of their own among the other's."""
    overlap = pairwise_iou(own.boxes_xyxy, their.boxes_xyxy)
    overlap[own.classes[:, None] != their.classes[None, :]] = 0
    found = np.zeros(len(own), bool)
    for index in range(len(own)):
        if overlap.shape[1] and overlap[index].max() > least_iou:
            found[index] = True
            overlap[:, overlap[index].argmax()] = 0
    return found


def _ties(own: Detections, alone: np.ndarray, their: Candidates, margin: float, least_iou: float) -> int:
    """How many of the boxes that are alone the other file had as exactly, at the same anchor."""
    count = 0
    for index in np.flatnonzero(alone):
        anchor, label = own.anchors[index], own.classes[index]
        same_box = pairwise_iou(own.boxes_xyxy[index][None], their.boxes_xyxy[anchor][None])[0, 0] > least_iou
        same_score = abs(float(own.scores[index]) - float(their.scores[anchor, label])) <= margin
        count += bool(same_box and same_score)
    return count
