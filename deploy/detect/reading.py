"""From a file's or network's outputs to detections: decoded where they are raw, suppressed where they are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from condmix.deploy.detect.flags import NMS, RAW
from condmix.deploy.detect.tail import anchors_in
from condmix.runtime.detection.average_precision import AveragePrecision, Truth, mean_average_precision
from condmix.runtime.detection.boxes import decode, probabilities
from condmix.runtime.detection.matching import Candidates
from condmix.runtime.detection.settings import SuppressionSettings
from condmix.runtime.detection.suppression import suppress

EVALUATION = SuppressionSettings(score_threshold=0.01)
"""A low threshold: precision is averaged over recall, and unlikely boxes raise the recall."""
MEASURE = "mAP@0.5"


@dataclass(frozen=True, kw_only=True, eq=False)
class OutputReader:
    """Reads `boxes` and `scores`, whichever of them a network gives. anchors: None where it decodes itself."""

    anchors: np.ndarray | None

    @classmethod
    def of(cls, facts: Mapping[str, object]) -> OutputReader:
        """The reader for what a network or file says of itself."""
        return cls(anchors=anchors_in(facts) if facts.get("outputs") == RAW else None)

    def corners_and_probabilities(self, outputs: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Corners (images, anchors, 4) and probabilities (images, anchors, classes), float32."""
        boxes, scores = outputs["boxes"].astype(np.float32), outputs["scores"].astype(np.float32)
        if self.anchors is None:
            return boxes, scores
        return decode(boxes, self.anchors), probabilities(scores)

    def candidates(self, outputs: Mapping[str, np.ndarray], settings: SuppressionSettings) -> list[Candidates]:
        """Every image's boxes, and what suppression leaves of them."""
        pairs = zip(*self.corners_and_probabilities(outputs), strict=True)
        return [
            Candidates(boxes_xyxy=boxes, scores=scores, kept=suppress(boxes, scores, settings))
            for boxes, scores in pairs
        ]


def has_suppression(facts: Mapping[str, object]) -> bool:
    """Whether a file gives detections by itself."""
    return facts.get("outputs") == NMS


def precision_of(candidates: Sequence[Candidates], truth: Sequence[Truth], class_count: int) -> AveragePrecision:
    """The mean average precision of what was found."""
    return mean_average_precision([item.kept for item in candidates], truth, class_count=class_count)
