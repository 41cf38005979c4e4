"""Detections as rows of a table or of JSON, in pixels of the picture they were found on."""

from __future__ import annotations

from collections.abc import Sequence

from condmix.runtime.detection.suppression import Detections


def rows_of(
    picture: str, found: Detections, class_names: Sequence[str], width: int, height: int
) -> list[dict[str, object]]:
    """One row a detection, best first: picture, class, score, and corners in pixels from the upper left."""
    rows: list[dict[str, object]] = []
    for box, score, label in zip(found.boxes_xyxy, found.scores, found.classes, strict=True):
        x_min, y_min, x_max, y_max = (
            round(float(share) * side, 2) for share, side in zip(box, (width, height) * 2, strict=True)
        )
        rows.append(
            {
                "picture": picture,
                "class": class_names[int(label)],
                "score": round(float(score), 4),
                "x_min": x_min,
                "y_min": y_min,
                "x_max": x_max,
                "y_max": y_max,
            }
        )
    return rows
