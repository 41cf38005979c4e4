"""From ranges to shards: what is there is taken, the rest measured and kept as it comes, failures tried again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from condmix.deploy.evaluate.executor import Executor
from condmix.deploy.evaluate.image_rows import ImageRows
from condmix.deploy.evaluate.job import EvalJob, Failure, FailureKind, LabelledImage, RangeOutcome, RangeTask
from condmix.deploy.evaluate.shard import Shard, shard_key
from condmix.deploy.evaluate.state_folder import StateFolder

ATTEMPTS = 2
"""An engine that failed gets a fresh session once; images that cannot be read will not be readable then either."""


@dataclass(frozen=True, kw_only=True)
class Lost:
    """Shards that have no result: a range, and why."""

    task: RangeTask
    failure: Failure


@dataclass(kw_only=True)
class Progress:
    """How far a run has come; it is true at any moment, also when the run was interrupted.

    total, done: shards. reused: of those done, taken from an earlier run. damaged: files of shards that were measured
    again. machines: CPUs that measured what is done.
    """

    total: int
    done: int = 0
    reused: int = 0
    damaged: int = 0
    machines: set[str] = field(default_factory=set)


class Run:
    """One evaluation. `progress` can be looked at whenever and however `measure` has ended."""

    def __init__(
        self, job: EvalJob, ranges: Sequence[tuple[int, tuple[LabelledImage, ...]]], state: StateFolder
    ) -> None:
        self._job, self._ranges, self._state = job, ranges, state
        self._found: dict[tuple[int, int], ImageRows] = {}
        self.progress = Progress(total=len(ranges) * len(job.files))

    def tasks(self, *, resume: bool) -> tuple[RangeTask, ...]:
        """What is to be measured; with `resume`, what is left after all shards that fit have been taken."""
        places = tuple(range(len(self._job.files)))
        if not resume:
            return tuple(RangeTask(start=start, images=images, files=places) for start, images in self._ranges)
        tasks = []
        for start, images in self._ranges:
            missing = []
            for place in places:
                shard = self._state.load(shard_key(self._job, place, images), len(images))
                if shard is None:
                    missing.append(place)
                else:
                    self._keep(start, place, shard.rows, shard.machine)
                    self.progress.reused += 1
            if missing:
                tasks.append(RangeTask(start=start, images=images, files=tuple(missing)))
        self.progress.damaged = self._state.damaged
        return tuple(tasks)

    def measure(
        self, tasks: Sequence[RangeTask], executor: Executor, report_progress: Callable[[str], None]
    ) -> tuple[Lost, ...]:
        """Every shard of the tasks is measured and kept, but for those that are returned.

        Raises what the executor raises, OutputError where a shard cannot be written, KeyboardInterrupt.
        """
        lost: list[Lost] = []
        waiting = tuple(tasks)
        for attempt in range(1, ATTEMPTS + 1):
            again: list[Lost] = []
            for outcome in executor.outcomes(waiting):
                self._store(outcome)
                report_progress(f"measured {self.progress.done} of {self.progress.total} shards")
                for failure in outcome.failures:
                    one = Lost(task=outcome.task, failure=failure)
                    (again if failure.kind is FailureKind.FILE and attempt < ATTEMPTS else lost).append(one)
            waiting = tuple(replace(one.task, files=one.failure.files) for one in again)
            if not waiting:
                break
            report_progress(f"try {len(waiting)} failed ranges again")
        return tuple(lost)

    def rows(self) -> Mapping[int, ImageRows]:
        """All images by the place of their file, in the order of the set: every shard is there."""
        starts = [start for start, _ in self._ranges]
        return {
            place: _joined([self._found[start, place] for start in starts]) for place in range(len(self._job.files))
        }

    def _store(self, outcome: RangeOutcome) -> None:
        task = outcome.task
        for place, rows in outcome.rows.items():
            key = shard_key(self._job, place, task.images)
            self._state.store(Shard(key=key, rows=rows, machine=outcome.machine))
            self._keep(task.start, place, rows, outcome.machine)

    def _keep(self, start: int, place: int, rows: ImageRows, machine: str) -> None:
        self._found[start, place] = rows
        self.progress.done += 1
        self.progress.machines.add(machine)


def _joined(parts: Sequence[ImageRows]) -> ImageRows:
    """The entries of all parts one after the other: nothing is summed, so nothing depends on an order."""
    compared = {
        name: None
        if getattr(parts[0], name) is None
        else tuple(entry for part in parts for entry in getattr(part, name))
        for name in ("sqnr_db", "cosine", "largest_difference")
    }
    return ImageRows(
        answers=tuple(answer for part in parts for answer in part.answers),
        ranks=tuple(rank for part in parts for rank in part.ranks),
        **compared,
    )
