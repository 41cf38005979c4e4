"""One range in one process: images read once, files kept open, and every failure an entry and not an exception."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from condmix.deploy.evaluate import measurer as module
from condmix.deploy.evaluate.flow import EvalPlan
from condmix.deploy.evaluate.job import EvalFile, FailureKind, RangeTask
from condmix.deploy.evaluate.measurer import RangeMeasurer, open_scorer, strange_versions
from condmix.deploy.evaluate.scores import Scorer
from condmix.runtime.errors import EngineMissingError, SessionFailedError


def task_of(plan: EvalPlan, files: tuple[int, ...] = (0, 1, 2)) -> RangeTask:
    return RangeTask(start=8, images=plan.labelled.images[8:16], files=files)


class Opener:
    """Opens files and counts; fails for one of them."""

    def __init__(self, failing: str = "", error: Exception | None = None) -> None:
        self.opened: list[str] = []
        self._failing, self._error = failing, error

    def __call__(self, file: EvalFile) -> Scorer:
        self.opened.append(file.name)
        if file.name == self._failing and self._error is not None:
            raise self._error
        return open_scorer(file)


def test_all_files_are_measured_and_opened_once(plan: EvalPlan) -> None:
    opener = Opener()
    measurer = RangeMeasurer(plan.job, open_scorer=opener)
    first, second = measurer.run(task_of(plan)), measurer.run(task_of(plan))
    assert opener.opened == ["exact.onnx", "exact.tflite", "rounded"]
    assert set(first.rows) == {0, 1, 2}
    assert first.rows == second.rows
    assert first.failures == ()
    assert first.rows[0].sqnr_db is None
    assert first.machine
    assert all(len(rows) == 8 for rows in first.rows.values())


def test_the_yardstick_runs_for_others_and_is_not_told_again(plan: EvalPlan) -> None:
    whole = RangeMeasurer(plan.job).run(task_of(plan))
    one = RangeMeasurer(plan.job).run(task_of(plan, (2,)))
    assert dict(one.rows) == {2: whole.rows[2]}


def test_images_are_read_once_for_files_that_take_them_alike(plan: EvalPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    read = module.read_range
    monkeypatch.setattr(module, "read_range", lambda *given: reads.append(1) or read(*given))  # type: ignore[func-returns-value]
    RangeMeasurer(plan.job).run(task_of(plan))
    assert len(reads) == 1


def test_a_file_that_fails_does_not_lose_the_others(plan: EvalPlan) -> None:
    opener = Opener("exact.tflite", SessionFailedError("engine", "place", "no"))
    measurer = RangeMeasurer(plan.job, open_scorer=opener)
    outcome = measurer.run(task_of(plan))
    assert set(outcome.rows) == {0, 2}
    (failure,) = outcome.failures
    assert (failure.files, failure.kind) == ((1,), FailureKind.FILE)
    assert failure.reason == "exact.tflite: engine failed while running place: no"
    measurer.run(task_of(plan, (1,)))
    assert opener.opened.count("exact.tflite") == 2


def test_nothing_can_be_compared_with_a_yardstick_that_fails(plan: EvalPlan) -> None:
    opener = Opener("exact.onnx", SessionFailedError("engine", "place", "no"))
    outcome = RangeMeasurer(plan.job, open_scorer=opener).run(task_of(plan))
    assert outcome.rows == {}
    assert [failure.files for failure in outcome.failures] == [(0, 1, 2)]


def test_a_missing_engine_is_the_workers_failure(plan: EvalPlan) -> None:
    opener = Opener("exact.tflite", EngineMissingError("litert", "litert", "no wheel"))
    (failure,) = RangeMeasurer(plan.job, open_scorer=opener).run(task_of(plan)).failures
    assert failure.kind is FailureKind.WORKER
    assert "pip install" in failure.reason


def test_a_changed_file_is_named(plan: EvalPlan, files: tuple[Path, ...]) -> None:
    files[2].write_bytes(files[0].read_bytes())
    (failure,) = RangeMeasurer(plan.job).run(task_of(plan)).failures
    assert failure.kind is FailureKind.FILE
    assert "rounded.onnx: is not the file that was hashed at the beginning" in failure.reason


def test_images_that_changed_fail_the_whole_range(plan: EvalPlan, labelled: Path) -> None:
    np.savez(labelled, images=np.zeros((50, 1, 4, 4), np.float32))
    outcome = RangeMeasurer(plan.job).run(task_of(plan))
    (failure,) = outcome.failures
    assert (failure.files, failure.kind, outcome.rows) == ((0, 1, 2), FailureKind.IMAGES, {})
    assert "image 8, is not the image that was hashed" in failure.reason


def test_other_versions_are_refused(plan: EvalPlan) -> None:
    job = replace(plan.job, versions={**plan.job.versions, "onnxruntime": "0.1", "absent-package": "2"})
    (failure,) = RangeMeasurer(job).run(task_of(plan)).failures
    assert failure.kind is FailureKind.WORKER
    assert "(expected 0.1)" in failure.reason
    assert "absent-package is not installed (expected 2)" in failure.reason
    assert strange_versions({"a": "1"}, {"a": "1"}) == ""
