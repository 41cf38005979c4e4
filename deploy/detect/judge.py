"""Mean average precision where int8 exports ask for accuracy: of outputs in one array, as the guard holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from condmix.deploy.detect.detection_set import DetectionSet
from condmix.deploy.detect.reading import EVALUATION, MEASURE, OutputReader, precision_of


@dataclass(frozen=True, kw_only=True, eq=False)
class DetectionJudge:
    """The objects on some images, and how well outputs find them. Conforms to `condmix.deploy.int8.guard.Judge`."""

    known: DetectionSet
    reader: OutputReader

    @property
    def measure(self) -> str:
        """What the share is called."""
        return MEASURE

    def scores(self, outputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Corners and probabilities of every image in a row: (images, anchors * (4 + classes))."""
        boxes, scores = self.reader.corners_and_probabilities(outputs)
        return np.concatenate((boxes, scores), axis=2).reshape(len(boxes), -1)

    def accuracy(self, scores: np.ndarray) -> float:
        """The mean average precision at an intersection over union of 0.5; 0 where numbers are not finite."""
        if not np.isfinite(scores).all():
            return 0.0
        count = len(self.known.class_names)
        rows = scores.reshape(len(scores), -1, 4 + count)
        found = OutputReader(anchors=None).candidates({"boxes": rows[..., :4], "scores": rows[..., 4:]}, EVALUATION)
        return precision_of(found, self.known.truth, count).at_50
