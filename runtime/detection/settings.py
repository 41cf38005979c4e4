"""The numbers of non-maximum suppression, without numpy: the command line starts with them."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from condmix.runtime.errors import InvalidSettingError


@dataclass(frozen=True, kw_only=True)
class SuppressionSettings:
    """Which boxes are kept. Raises InvalidSettingError with every number out of range.

    A box counts for a class if its score is above `score_threshold`; of two of one class whose intersection over union
    is above `iou_threshold` the one with the lower score goes; at most `max_detections` of a picture stay.
    """

    score_threshold: float = 0.3
    iou_threshold: float = 0.5
    max_detections: int = 100

    def __post_init__(self) -> None:
        problems = [
            f"{name} is {value}: expected {wanted}"
            for name, value, right, wanted in (
                ("score_threshold", self.score_threshold, 0 <= self.score_threshold < 1, "from 0 to below 1"),
                ("iou_threshold", self.iou_threshold, 0 <= self.iou_threshold <= 1, "from 0 to 1"),
                ("max_detections", self.max_detections, self.max_detections >= 1, "at least 1"),
            )
            if not right
        ]
        if problems:
            raise InvalidSettingError(problems, record="non-maximum suppression")

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return asdict(self)
