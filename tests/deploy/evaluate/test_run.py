"""Shards of a run: the same whatever the order, kept as they come, tried again once, taken again only if they fit."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from condmix.deploy.evaluate.executor import SerialExecutor
from condmix.deploy.evaluate.flow import EvalPlan
from condmix.deploy.evaluate.job import EvalJob, Failure, FailureKind, RangeOutcome, RangeTask
from condmix.deploy.evaluate.ranges import cut, range_length
from condmix.deploy.evaluate.run import Run
from condmix.deploy.evaluate.state_folder import StateFolder
from tests.deploy.evaluate.conftest import silent


def run_of(plan: EvalPlan, state: Path, length: int = 8) -> Run:
    folder = StateFolder(state)
    folder.make()
    return Run(plan.job, cut(plan.labelled.images, length), folder)


class Shuffled:
    """Measures in this process, in an order of its own, and stops after `most` tasks."""

    words = "shuffled"

    def __init__(self, job: EvalJob, seed: int, most: int | None = None) -> None:
        self._inner, self._seed, self._most = SerialExecutor(job), seed, most

    def outcomes(self, tasks: Sequence[RangeTask]) -> Iterator[RangeOutcome]:
        order = random.Random(self._seed).sample(list(tasks), len(tasks))
        for number, outcome in enumerate(self._inner.outcomes(order)):
            if number == self._most:
                raise KeyboardInterrupt
            yield outcome


class Failing:
    """Fails on some ranges, `times` times each, with a failure of that kind; measures the rest."""

    words = "failing"

    def __init__(self, job: EvalJob, starts: set[int], kind: FailureKind, times: int) -> None:
        self._inner, self._left, self._kind = SerialExecutor(job), dict.fromkeys(starts, times), kind
        self.asked: list[int] = []

    def outcomes(self, tasks: Sequence[RangeTask]) -> Iterator[RangeOutcome]:
        for task, outcome in zip(tasks, self._inner.outcomes(tasks), strict=True):
            self.asked.append(task.start)
            if self._left.get(task.start, 0) == 0:
                yield outcome
                continue
            self._left[task.start] -= 1
            (failed,) = task.files[-1:]
            rows = {place: one for place, one in outcome.rows.items() if place != failed}
            failure = Failure(files=(failed,), kind=self._kind, reason="it broke")
            yield replace(outcome, rows=rows, failures=(failure,))


def test_ranges_hold_whole_calls_of_every_file(plan: EvalPlan) -> None:
    files = [replace(plan.job.files[0], batch=batch) for batch in (4, 6)]
    assert [range_length(asked, files) for asked in (1, 12, 13, 64)] == [12, 12, 24, 72]
    ranges = cut(plan.labelled.images, 12)
    assert [start for start, _ in ranges] == [0, 12, 24, 36, 48]
    assert tuple(image for _, images in ranges for image in images) == plan.labelled.images


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_arrival_changes_nothing(plan: EvalPlan, tmp_path: Path, seed: int) -> None:
    serial = run_of(plan, tmp_path / "serial")
    assert serial.measure(serial.tasks(resume=False), SerialExecutor(plan.job), silent) == ()
    other = run_of(plan, tmp_path / "other", length=(8, 3, 50)[seed])
    other.measure(other.tasks(resume=False), Shuffled(plan.job, seed), silent)
    assert other.rows() == serial.rows()
    assert serial.progress.done == serial.progress.total == 7 * 3


def test_an_interrupted_run_goes_on_where_it_was(plan: EvalPlan, tmp_path: Path) -> None:
    whole = run_of(plan, tmp_path / "whole")
    whole.measure(whole.tasks(resume=False), SerialExecutor(plan.job), silent)
    first = run_of(plan, tmp_path / "state")
    with pytest.raises(KeyboardInterrupt):
        first.measure(first.tasks(resume=False), Shuffled(plan.job, 1, most=3), silent)
    assert first.progress.done == 9
    second = run_of(plan, tmp_path / "state")
    tasks = second.tasks(resume=True)
    assert (len(tasks), second.progress.reused) == (4, 9)
    second.measure(tasks, SerialExecutor(plan.job), silent)
    assert second.rows() == whole.rows()
    third = run_of(plan, tmp_path / "state")
    assert third.tasks(resume=True) == ()
    assert third.rows() == whole.rows()


def test_without_resume_nothing_is_taken(plan: EvalPlan, tmp_path: Path) -> None:
    first = run_of(plan, tmp_path)
    first.measure(first.tasks(resume=False), SerialExecutor(plan.job), silent)
    again = run_of(plan, tmp_path)
    assert len(again.tasks(resume=False)) == 7
    assert again.progress.reused == 0


def test_a_damaged_shard_is_measured_again_and_nothing_else(plan: EvalPlan, tmp_path: Path) -> None:
    first = run_of(plan, tmp_path)
    first.measure(first.tasks(resume=False), SerialExecutor(plan.job), silent)
    victim = sorted(tmp_path.iterdir())[0]
    victim.write_bytes(victim.read_bytes()[:-30])
    second = run_of(plan, tmp_path)
    (task,) = second.tasks(resume=True)
    assert len(task.files) == 1
    assert second.progress.damaged == 1
    second.measure((task,), SerialExecutor(plan.job), silent)
    assert second.rows() == first.rows()


def test_a_changed_yardstick_makes_all_shards_stale_a_changed_file_its_own(plan: EvalPlan, tmp_path: Path) -> None:
    first = run_of(plan, tmp_path)
    first.measure(first.tasks(resume=False), SerialExecutor(plan.job), silent)

    def missing(place: int) -> list[tuple[int, ...]]:
        files = list(plan.job.files)
        files[place] = replace(files[place], source=replace(files[place].source, sha256="0" * 64))
        changed = replace(plan, job=replace(plan.job, files=tuple(files)))
        return [task.files for task in run_of(changed, tmp_path).tasks(resume=True)]

    assert missing(0) == [(0, 1, 2)] * 7
    assert missing(2) == [(2,)] * 7


def test_an_engine_that_failed_once_is_tried_again(plan: EvalPlan, tmp_path: Path) -> None:
    run = run_of(plan, tmp_path)
    executor = Failing(plan.job, {8, 24}, FailureKind.FILE, times=1)
    assert run.measure(run.tasks(resume=False), executor, silent) == ()
    assert executor.asked[7:] == [8, 24]
    assert run.progress.done == run.progress.total


@pytest.mark.parametrize(("kind", "tries"), [(FailureKind.FILE, 2), (FailureKind.IMAGES, 1), (FailureKind.WORKER, 1)])
def test_what_keeps_failing_is_named_and_the_rest_kept(
    plan: EvalPlan, tmp_path: Path, kind: FailureKind, tries: int
) -> None:
    run = run_of(plan, tmp_path)
    executor = Failing(plan.job, {8}, kind, times=9)
    (lost,) = run.measure(run.tasks(resume=False), executor, silent)
    assert (lost.task.words, lost.failure.files, lost.failure.reason) == ("images 8 to 15", (2,), "it broke")
    assert executor.asked.count(8) == tries
    assert run.progress.done == run.progress.total - 1
    assert len(list(tmp_path.glob("*.shard.json"))) == run.progress.total - 1
