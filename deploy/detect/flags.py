"""The flags about detectors: what of the way from heads to detections a file holds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import click

from condmix.deploy.errors import PlanError
from condmix.deploy.parameters import Command, NearestChoice, with_options
from condmix.runtime.detection.settings import SuppressionSettings

RAW, BOXES, NMS = "raw", "boxes", "nms"
DETECTIONS = (RAW, BOXES, NMS)
_DEFAULT = SuppressionSettings()
_ABOUT_SUPPRESSION = ("score_threshold", "iou_threshold", "max_detections")


@dataclass(frozen=True, kw_only=True)
class DetectionFlags:
    """As typed; `detections` is None where nothing was said."""

    detections: str | None = None
    score_threshold: float = _DEFAULT.score_threshold
    iou_threshold: float = _DEFAULT.iou_threshold
    max_detections: int = _DEFAULT.max_detections

    @property
    def suppression(self) -> SuppressionSettings:
        """The numbers of non-maximum suppression."""
        return SuppressionSettings(
            score_threshold=self.score_threshold,
            iou_threshold=self.iou_threshold,
            max_detections=self.max_detections,
        )


def take_detection_flags(values: dict[str, Any]) -> DetectionFlags:
    """The flags as click parsed them, by name; they are taken out of `values`."""
    return DetectionFlags(**{name: values.pop(name) for name in DetectionFlags.__dataclass_fields__})


def check_detection_flags(
    flags: DetectionFlags, formats: Sequence[str], typed: Collection[str], *, stage: str, dynamic_size: bool
) -> None:
    """Nothing happens when the flags agree with each other. Raises PlanError naming all that do not."""
    problems = []
    if flags.detections != NMS:
        problems += [
            f"--{name.replace('_', '-')} is about non-maximum suppression: add --detections nms"
            for name in _ABOUT_SUPPRESSION
            if name in typed
        ]
    elif stage != "final":
        problems.append(f"--detections nms is about the finished file: it contradicts --stage {stage}")
    elif "onnx" not in formats:
        problems.append(
            "--detections nms has no form in TFLite, which has no such operator: use --detections boxes, and "
            "condmix.runtime.detection (NumPy) or detection.js (browsers) behind the file"
        )
    if dynamic_size and flags.detections in (BOXES, NMS):
        problems.append(
            f"--detections {flags.detections} holds anchors for one size of pictures: it contradicts --dynamic-size"
        )
    if problems:
        summary = "these flags contradict each other:"
        raise PlanError(summary, problems)


_SUPPRESSION_OPTIONS: tuple[Callable[[Any], Any], ...] = (  # click's decorators take any function
    click.option(
        "--score-threshold",
        type=click.FloatRange(0, 1, max_open=True),
        default=_DEFAULT.score_threshold,
        show_default=True,
        help="Only boxes with a score above it count.",
    ),
    click.option(
        "--iou-threshold",
        type=click.FloatRange(0, 1),
        default=_DEFAULT.iou_threshold,
        show_default=True,
        help="Of two boxes of a class that overlap by more, the better one stays.",
    ),
    click.option(
        "--max-detections",
        type=click.IntRange(min=1),
        default=_DEFAULT.max_detections,
        show_default=True,
        help="Boxes that a picture keeps at most.",
    ),
)


def suppression_options(command: Command) -> Command:
    """Adds the numbers of non-maximum suppression."""
    return with_options(command, _SUPPRESSION_OPTIONS)


def detection_options(command: Command) -> Command:
    """Adds the flags about what of a detector a file holds."""
    kind = click.option(
        "--detections",
        type=NearestChoice(DETECTIONS),
        help="Of a detector: its raw heads, decoded boxes, or non-maximum suppression as well (ONNX); raw if left out.",
    )
    return kind(suppression_options(command))
