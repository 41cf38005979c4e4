"""What the page has to know of a detector to draw what it found: its file says it in its metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping

from condmix.deploy.browser.subject_file import SubjectFile
from condmix.deploy.evaluate.intake import intake_of, metadata_of
from condmix.runtime.detection.settings import SuppressionSettings
from condmix.runtime.signature import Signature

_HEADS = ("boxes", "scores")
_PICTURE_AXES = 5
"""Of what is fed: rows, images, and the three axes of each."""


def drawing_of(file: SubjectFile, signature: Signature) -> dict[str, object] | None:
    """None of a file that is no detector, or whose metadata cannot be read: it is measured all the same."""
    metadata, _ = metadata_of(file.subject.file, file.identity.format)
    facts = _json(metadata.get("detection"))
    intake = intake_of(metadata, signature)
    if not isinstance(facts, Mapping) or isinstance(intake, str) or len(file.feeds.arrays) != 1:
        return None
    ((name, array),) = file.feeds.arrays.items()
    if array.ndim != _PICTURE_AXES or not {spec.name for spec in signature.outputs}.issuperset(_HEADS):
        return None
    given = facts.get("suppression")
    settings = SuppressionSettings(**given) if isinstance(given, Mapping) else SuppressionSettings()
    scales = {"input": file.scales.get(name), **{head: file.scales.get(head) for head in _HEADS}}
    return {
        "anchors": facts.get("anchors"),
        "class_names": None if intake.class_names is None else list(intake.class_names),
        "mean": list(intake.preprocessing.mean),
        "std": list(intake.preprocessing.std),
        "channels_last": list(array.shape[2:]) != list(intake.input_size),
        "scales": {key: None if scale is None else list(scale) for key, scale in scales.items()},
        "suppression": {
            "scoreThreshold": settings.score_threshold,
            "iouThreshold": settings.iou_threshold,
            "maxDetections": settings.max_detections,
        },
    }


def _json(text: str | None) -> object:
    try:
        return None if text is None else json.loads(text)
    except (ValueError, RecursionError):
        return None
