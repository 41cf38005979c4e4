"""How well files find things on a set of pictures, and whether they find what the first of them finds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from condmix.deploy.detect.detection_set import DetectionSet, read_detection_set
from condmix.deploy.detect.file import DetectorFile, open_detector
from condmix.deploy.detect.reading import EVALUATION, precision_of
from condmix.deploy.errors import PlanError
from condmix.runtime.detection.average_precision import AveragePrecision
from condmix.runtime.detection.matching import SAME_IOU, BoxMatch, Candidates, match_boxes
from condmix.runtime.detection.settings import SuppressionSettings

SCHEMA_VERSION = 1
KIND = "condmix-detection-evaluation"
FLOAT_MARGIN, INT8_MARGIN = 1e-3, 0.1
"""How far two scores may lie apart where one was kept and the other left out by a hair."""
INT8_IOU = 0.9
COLUMNS = ("file", "arithmetic", "mAP@0.5", "drop", "mAP@0.5:0.95", "boxes", "matched", "ties", "missing", "extra")


@dataclass(frozen=True, kw_only=True)
class FileFindings:
    """One file: how precise it is, and its boxes beside those of the first file (None of the first itself)."""

    path: Path
    kind: str
    precision: AveragePrecision
    match: BoxMatch | None


@dataclass(frozen=True, kw_only=True)
class DetectionReport:
    """All files on one set; the first is the one that others are compared with."""

    folder: Path
    class_names: tuple[str, ...]
    settings: SuppressionSettings
    files: tuple[FileFindings, ...]

    def rows(self) -> list[list[str]]:
        """A line a file, as `COLUMNS` say."""
        first = self.files[0].precision.at_50
        lines = []
        for file in self.files:
            match = file.match
            counts = ["", "", "", "", ""]
            if match is not None:
                numbers = (match.boxes, match.matched, match.ties, match.missing, match.extra)
                counts = [str(number) for number in numbers]
            lines.append(
                [
                    file.path.name,
                    file.kind,
                    f"{file.precision.at_50:.2%}",
                    "" if match is None else f"{100 * (first - file.precision.at_50):.2f}",
                    f"{file.precision.at_50_to_95:.2%}",
                    *counts,
                ]
            )
        return lines

    def sentences(self) -> list[str]:
        """What the table's columns mean."""
        first = self.files[0]
        ious = dict.fromkeys(f"{file.match.least_iou:g} ({file.kind})" for file in self.files if file.match is not None)
        lines = [
            f"{first.precision.object_count} objects of {len(self.class_names)} classes on "
            f"{first.precision.picture_count} pictures of {self.folder.name}; drop in points"
        ]
        if ious:
            lines.append(
                f"boxes: those of {first.path.name} with a score above {self.settings.score_threshold:g}; matched: the "
                f"same class and an intersection over union above {', '.join(ious)}; ties: there as well, left out by "
                "a hair"
            )
        return lines

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON, with `schema_version`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": KIND,
            "set": str(self.folder),
            "class_names": list(self.class_names),
            "suppression": self.settings.to_dict(),
            "files": [
                {
                    "file": str(file.path),
                    "arithmetic": file.kind,
                    "precision": asdict(file.precision),
                    "match": None if file.match is None else file.match.to_dict(),
                }
                for file in self.files
            ],
        }

    def to_markdown(self) -> str:
        """The same as a page."""
        table = [COLUMNS, tuple("---" for _ in COLUMNS), *self.rows()]
        lines = ["# Detections", "", *(f"| {' | '.join(row)} |" for row in table), ""]
        return "\n".join([*lines, *(f"{line}." for line in self.sentences())]) + "\n"


def evaluate_detectors(paths: Sequence[Path], folder: Path, report_progress: Callable[[str], None]) -> DetectionReport:
    """Every file on every picture of the set. Raises PlanError for a file given twice, what `open_detector` raises, and
    ImagesError."""
    twice = sorted({str(path) for path in paths if list(paths).count(path) > 1})
    if twice:
        summary = "these files cannot be evaluated:"
        raise PlanError(summary, [f"{path} is given twice" for path in twice])
    files = [open_detector(path) for path in paths]
    names = next((file.intake.class_names for file in files if file.intake.class_names is not None), None)
    known = read_detection_set(folder, names)
    settings = SuppressionSettings()
    found: list[FileFindings] = []
    yardstick: list[Candidates] = []
    inputs: dict[object, np.ndarray] = {}
    for file in files:
        report_progress(f"run {file.path.name}")
        outputs = file.run(_inputs(inputs, known, file))
        kept = file.reader.candidates(outputs, settings)
        precision = precision_of(file.reader.candidates(outputs, EVALUATION), known.truth, len(known.class_names))
        match = None if file is files[0] else _match(yardstick, kept, file, files[0])
        yardstick = yardstick or kept
        found.append(FileFindings(path=file.path, kind=file.kind, precision=precision, match=match))
    return DetectionReport(folder=folder, class_names=known.class_names, settings=settings, files=tuple(found))


def _inputs(made: dict[object, np.ndarray], known: DetectionSet, file: DetectorFile) -> np.ndarray:
    """The pictures as the file takes them, made once for files that take them alike."""
    key = (file.intake.input_size, file.intake.preprocessing)
    if key not in made:
        made[key] = known.inputs(file.intake)
    return made[key]


def _match(
    yardstick: Sequence[Candidates], kept: Sequence[Candidates], file: DetectorFile, first: DetectorFile
) -> BoxMatch:
    rounded = file.is_rounded or first.is_rounded
    if len(yardstick[0].boxes_xyxy) != len(kept[0].boxes_xyxy):
        summary = "these files cannot be compared box by box:"
        counts = f"{len(yardstick[0].boxes_xyxy)} and {len(kept[0].boxes_xyxy)}"
        raise PlanError(summary, [f"{first.path} and {file.path} have {counts} anchors: expected one network"])
    margin, iou = (INT8_MARGIN, INT8_IOU) if rounded else (FLOAT_MARGIN, SAME_IOU)
    return match_boxes(yardstick, kept, margin=margin, least_iou=iou)
