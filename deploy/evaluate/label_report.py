"""How well files tell which labels hold for some images, beside the first of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from condmix.deploy.errors import PlanError
from condmix.deploy.evaluate.intake import Intake, intake_of, metadata_of
from condmix.deploy.evaluate.label_set import LabelSet, read_label_set
from condmix.runtime.audit.audit import format_of
from condmix.runtime.bench.identity import engine_of
from condmix.runtime.bench.inputs import feeds_of_images
from condmix.runtime.bench.subject import ONNXRUNTIME
from condmix.runtime.label_scores import THRESHOLD, LabelScores, score_labels
from condmix.runtime.litert_session import LiteRtBackend
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from condmix.runtime.output_kind import LABELS, kinds_in, kinds_text
from condmix.runtime.session import Session

SCHEMA_VERSION = 1
KIND = "condmix-label-evaluation"
COLUMNS = ("file", "mAP", "drop", "exact match", "labels right", "same labels", "max|d|")
_SUMMARY = "these files cannot be evaluated:"


@dataclass(frozen=True, kw_only=True)
class FileLabels:
    """One file. same_labels, max_difference: beside the first file, None of that one itself."""

    path: Path
    scores: LabelScores
    same_labels: float | None
    max_difference: float | None


@dataclass(frozen=True, kw_only=True)
class LabelReport:
    """All files on one set; the first is the one that others are compared with."""

    path: Path
    names: tuple[str, ...]
    files: tuple[FileLabels, ...]

    def rows(self) -> list[list[str]]:
        """A line a file, as `COLUMNS` say."""
        first = self.files[0].scores.mean_average_precision
        return [
            [
                file.path.name,
                f"{file.scores.mean_average_precision:.2%}",
                "" if file is self.files[0] else f"{100 * (first - file.scores.mean_average_precision):.2f}",
                f"{file.scores.exact_match:.2%}",
                f"{file.scores.mean_label_accuracy:.2%}",
                "" if file.same_labels is None else f"{file.same_labels:.2%}",
                "" if file.max_difference is None else f"{file.max_difference:.1e}",
            ]
            for file in self.files
        ]

    def sentences(self) -> list[str]:
        """What the table's columns mean, and the labels that the first file tells worst."""
        first = self.files[0].scores
        known = [
            (value, name) for value, name in zip(first.average_precision, self.names, strict=True) if value is not None
        ]
        worst = ", ".join(f"{name} {value:.1%}" for value, name in sorted(known)[:5])
        return [
            f"{first.images} images of {self.path.name}, {len(self.names)} labels, of which {len(known)} occur; "
            "drop in points",
            "mAP: mean average precision of the labels that occur, as scikit-learn defines it; exact match: images of "
            f"which every label is on its side of {THRESHOLD:g}; same labels: labels on the side of the first file's",
            f"least average precision of {self.files[0].path.name}: {worst or 'no label occurs'}",
        ]

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON, with `schema_version`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": KIND,
            "set": str(self.path),
            "labels": list(self.names),
            "files": [{**asdict(file), "path": str(file.path)} for file in self.files],
        }

    def to_markdown(self) -> str:
        """The same as a page."""
        table = [COLUMNS, tuple("---" for _ in COLUMNS), *self.rows()]
        lines = ["# Labels", "", *(f"| {' | '.join(row)} |" for row in table), ""]
        return "\n".join([*lines, *(f"{line}." for line in self.sentences())]) + "\n"


def evaluate_labels(paths: Sequence[Path], given: Path, report_progress: Callable[[str], None]) -> LabelReport:
    """Every file on every image of the set. Raises PlanError naming all files that cannot be, and ImagesError."""
    files = [_OpenFile(path) for path in paths]
    problems = [f"{file.path}: {file.problem}" for file in files if file.problem]
    problems += [f"{path} is given twice" for path in dict.fromkeys(paths) if list(paths).count(path) > 1]
    if problems:
        raise PlanError(_SUMMARY, problems)
    names: tuple[str, ...] = ()
    found: list[FileLabels] = []
    yardstick: np.ndarray | None = None
    for file in files:
        report_progress(f"run {file.path.name}")
        count = file.label_count()
        known = read_label_set(given, file.intake, count)
        probabilities = file.run(known)
        scores = score_labels(probabilities, known.truth)
        if yardstick is None:
            names = file.intake.class_names or tuple(f"label {number}" for number in range(count))
            found.append(FileLabels(path=file.path, scores=scores, same_labels=None, max_difference=None))
            yardstick = probabilities
            continue
        if probabilities.shape != yardstick.shape:
            told = f"{paths[0]} scores {yardstick.shape[1]} labels, {file.path} {count}: expected one network"
            raise PlanError(_SUMMARY, [told])
        same = float(((probabilities > THRESHOLD) == (yardstick > THRESHOLD)).mean())
        largest = float(np.abs(probabilities - yardstick).max())
        found.append(FileLabels(path=file.path, scores=scores, same_labels=same, max_difference=largest))
    return LabelReport(path=given, names=names, files=tuple(found))


class _OpenFile:
    """A file, its output of labels and what it takes; `problem` says why it is none."""

    intake: Intake

    def __init__(self, path: Path) -> None:
        self.path = path
        self.session: Session
        self._scales: Mapping[str, tuple[float, int]] = {}
        if engine_of(path) == ONNXRUNTIME:
            self.session = OnnxRuntimeBackend().open(path, threads=1)
        else:
            opened = LiteRtBackend().open(path, threads=1)
            self.session, self._scales = opened, opened.end_scales()
        metadata, _ = metadata_of(path, format_of(path))
        kinds, outputs = kinds_in(metadata), [spec.name for spec in self.session.signature.outputs]
        intake = intake_of(metadata, self.session.signature)
        self.problem = intake if isinstance(intake, str) else ""
        if not isinstance(intake, str):
            self.intake = intake
        # What a file of somebody else's scores is known from the set alone.
        self.output = next((name for name in outputs if kinds.get(name, LABELS) == LABELS), "")
        if not self.output:
            self.problem = f"no output scores labels: they are {kinds_text(kinds, outputs)}"

    def label_count(self) -> int:
        """Of an image of zeros."""
        return len(self._scores(np.zeros((1, *self.intake.input_size), np.float32))[0])

    def run(self, known: LabelSet) -> np.ndarray:
        """(images, labels), an image a call where the file is free."""
        return self._scores(known.images_nchw)

    def _scores(self, images_nchw: np.ndarray) -> np.ndarray:
        signature = self.session.signature
        feeds = feeds_of_images(
            {signature.inputs[0].name: images_nchw}, signature, source="given", scales=dict(self._scales)
        )
        rows: dict[int, np.ndarray] = {}
        for number, places in enumerate(feeds.image_of_row):
            outputs = self.session.run({name: array[number] for name, array in feeds.arrays.items()})
            real = outputs[self.output].reshape(len(places), -1).astype(np.float64)
            if self.output in self._scales:
                scale, zero_point = self._scales[self.output]
                real = scale * (real - zero_point)
            rows |= dict(zip(places.tolist(), real, strict=True))
        return np.stack([rows[place] for place in range(len(images_nchw))])
