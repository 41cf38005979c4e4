"""That suppression in a file keeps what its definition keeps: the same boxes, scores and classes, to the last bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx

from condmix.exporters.detection.suppression import BOXES, OUTPUTS, SCORES, suppression_alone, with_suppression
from condmix.runtime.detection.settings import SuppressionSettings
from condmix.runtime.detection.suppression import from_fixed_size, suppress
from condmix.runtime.onnx_session import OnnxRuntimeBackend

DRAWS = 8
_SEED = 20


@dataclass(frozen=True, kw_only=True)
class SuppressionProof:
    """What came of comparing the engine's suppression with NumPy's, picture by picture.

    pictures: the file's own images and crowds of drawn boxes. kept: detections on all of them. problems: none, or one
    sentence a picture that differs.
    """

    pictures: int
    kept: int
    problems: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """They agree, and there was something to agree on."""
        return not self.problems and self.kept > 0

    def sentence(self) -> str:
        """One line for a summary."""
        if self.problems:
            return f"suppression differs from its definition: {self.problems[0]}"
        return f"suppression keeps the boxes of its definition, bit for bit: {self.kept} on {self.pictures} pictures"

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {"pictures": self.pictures, "kept": self.kept, "problems": list(self.problems), "passed": self.passed}


def suppressed(
    proto: onnx.ModelProto, images_nchw: np.ndarray, settings: SuppressionSettings
) -> tuple[onnx.ModelProto, SuppressionProof]:
    """The file with suppression behind its boxes and scores, and the proof. Raises GraphError without those two."""
    found = with_suppression(proto, settings)
    return found, prove_suppression(found, images_nchw, settings)


def prove_suppression(
    proto: onnx.ModelProto, images_nchw: np.ndarray, settings: SuppressionSettings
) -> SuppressionProof:
    """The file on its images, and its tail alone on crowds of drawn boxes with equal scores among them.

    The file's own `boxes` and `scores` are what NumPy starts from: they have been proven before.
    """
    problems: list[str] = []
    kept = pictures = 0
    session = OnnxRuntimeBackend().open(proto.SerializeToString(), threads=1)
    fixed = session.signature.inputs[0].shape[0]
    step = fixed if isinstance(fixed, int) else len(images_nchw)
    padded = np.concatenate([images_nchw] * step)[: -(-len(images_nchw) // step) * step]
    for first in range(0, len(padded), step):
        results = session.run({session.signature.inputs[0].name: padded[first : first + step]})
        kept += _compare(results, results, settings, f"images from {first}", problems)
        pictures += step
    anchors, classes = results[SCORES].shape[1:]
    alone = suppression_alone("N", anchors, classes, settings)
    tail = OnnxRuntimeBackend().open(alone.SerializeToString(), threads=1)
    drawn = draw_crowds(anchors, classes)
    kept += _compare(drawn, tail.run(drawn), settings, "drawn boxes", problems)
    return SuppressionProof(pictures=pictures + DRAWS, kept=kept, problems=tuple(problems))


def draw_crowds(anchors: int, classes: int) -> dict[str, np.ndarray]:
    """Boxes that overlap in many ways and scores of 1/64 steps, so that many are equal; the first picture is empty."""
    generator = np.random.default_rng(_SEED)
    low = generator.uniform(0, 0.7, (DRAWS, anchors, 2))
    size = generator.uniform(0.05, 0.4, (DRAWS, anchors, 2))
    boxes = np.concatenate((low, np.minimum(low + size, 1)), axis=2).astype(np.float32)
    scores = np.floor(64 * generator.uniform(0, 1, (DRAWS, anchors, classes)) ** 4) / 64
    scores[0] = 0
    return {BOXES: boxes, SCORES: scores.astype(np.float32)}


def _compare(
    fed: Mapping[str, np.ndarray],
    results: Mapping[str, np.ndarray],
    settings: SuppressionSettings,
    where: str,
    problems: list[str],
) -> int:
    """How many detections there are; what differs is added to the problems."""
    kept = 0
    for index, found in enumerate(from_fixed_size({name: results[name] for name in OUTPUTS})):
        wanted = suppress(fed[BOXES][index], fed[SCORES][index], settings)
        kept += len(wanted)
        same = len(found) == len(wanted) and all(
            np.array_equal(getattr(found, name), getattr(wanted, name)) for name in ("boxes_xyxy", "scores", "classes")
        )
        if not same:
            problems.append(f"{where}, picture {index}: {len(found)} detections, expected {len(wanted)}")
    return kept
