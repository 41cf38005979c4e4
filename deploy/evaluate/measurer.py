"""Where images meet files: one range of images, read once, run through every file that still needs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from condmix.deploy.errors import DeployError
from condmix.deploy.evaluate.errors import NotTheSameError
from condmix.deploy.evaluate.image_reader import read_range, reader_of
from condmix.deploy.evaluate.image_rows import ImageRows, rows_of
from condmix.deploy.evaluate.intake import Intake
from condmix.deploy.evaluate.job import EvalFile, EvalJob, Failure, FailureKind, RangeOutcome, RangeTask
from condmix.deploy.evaluate.scores import Scorer
from condmix.deploy.evaluate.versions import installed_versions, machine_words
from condmix.runtime.errors import EngineMissingError, InferenceError, one_line

OpenScorer = Callable[[EvalFile], Scorer]


def open_scorer(file: EvalFile) -> Scorer:
    """The file, ready to run. Raises NotTheSameError and what its engine raises."""
    session, scales = file.source.open()
    return Scorer(session, scales, batch=file.batch, output=file.output)


class RangeMeasurer:
    """Measures ranges of one job, one at a time; files stay open from one range to the next."""

    def __init__(self, job: EvalJob, *, open_scorer: OpenScorer = open_scorer) -> None:
        self._job, self._open = job, open_scorer
        self._reader = reader_of(job.images_kind, job.images_path)
        self._scorers: dict[int, Scorer] = {}
        self._machine = machine_words()
        self._strange = strange_versions(job.versions, installed_versions(list(job.versions)))

    def run(self, task: RangeTask) -> RangeOutcome:
        """What came of the task; whatever is wrong with images, files or this machine is a failure in it."""
        if self._strange:
            return self._failed(task, FailureKind.WORKER, self._strange)
        try:
            images = _Images(self, task)
            for place in dict.fromkeys((self._job.yardstick, *task.files)):
                images.of(self._job.files[place].intake)
        except (NotTheSameError, DeployError) as error:
            return self._failed(task, FailureKind.IMAGES, str(error))
        rows: dict[int, ImageRows] = {}
        failures: list[Failure] = []
        labels = [image.label for image in task.images]
        exact = self._scores(self._job.yardstick, images)
        if isinstance(exact, Failure):
            # Nothing can be compared: every file asked for lacks its result.
            return self._outcome(task, {}, (Failure(files=task.files, kind=exact.kind, reason=exact.reason),))
        for place in task.files:
            if place == self._job.yardstick:
                rows[place] = rows_of(exact, labels, None)
                continue
            found = self._scores(place, images)
            if isinstance(found, Failure):
                failures.append(found)
            else:
                rows[place] = rows_of(found, labels, exact)
        return self._outcome(task, rows, tuple(failures))

    def read(self, task: RangeTask, intake: Intake) -> np.ndarray:
        """The images of the task. Raises NotTheSameError, UnreadableFileError."""
        return read_range(self._reader, task.start, task.images, intake)

    def _scores(self, place: int, images: _Images) -> np.ndarray | Failure:
        file = self._job.files[place]
        try:
            if place not in self._scorers:
                self._scorers[place] = self._open(file)
            return self._scorers[place].scores(images.of(file.intake))
        except EngineMissingError as error:
            kind, reason = FailureKind.WORKER, one_line(error)
        except (NotTheSameError, InferenceError) as error:
            kind, reason = FailureKind.FILE, f"{file.name}: {one_line(error)}"
        # Another try begins with a session that has not failed.
        self._scorers.pop(place, None)
        return Failure(files=(place,), kind=kind, reason=reason)

    def _failed(self, task: RangeTask, kind: FailureKind, reason: str) -> RangeOutcome:
        return self._outcome(task, {}, (Failure(files=task.files, kind=kind, reason=reason),))

    def _outcome(self, task: RangeTask, rows: Mapping[int, ImageRows], failures: tuple[Failure, ...]) -> RangeOutcome:
        return RangeOutcome(task=task, rows=rows, failures=failures, machine=self._machine)


class _Images:
    """The images of one task, read once for each way of preprocessing them."""

    def __init__(self, measurer: RangeMeasurer, task: RangeTask) -> None:
        self._measurer, self._task = measurer, task
        self._found: list[tuple[Mapping[str, object], np.ndarray]] = []

    def of(self, intake: Intake) -> np.ndarray:
        """As that file takes them."""
        facts = intake.facts()
        for known, images in self._found:
            if known == facts:
                return images
        images = self._measurer.read(self._task, intake)
        self._found.append((facts, images))
        return images


def strange_versions(expected: Mapping[str, str], found: Mapping[str, str]) -> str:
    """What is installed here in another version than where the run began; empty where nothing is."""
    strange = [
        f"{name} {found.get(name, 'is not installed')} (expected {version})"
        for name, version in expected.items()
        if found.get(name) != version
    ]
    return f"other versions than where the run began: {', '.join(strange)}" if strange else ""
