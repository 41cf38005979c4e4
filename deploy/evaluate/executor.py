"""Who measures ranges: this process, or Dask's workers; the same outcomes either way, in any order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from condmix.deploy.evaluate.job import EvalJob, RangeOutcome, RangeTask
from condmix.deploy.evaluate.measurer import RangeMeasurer


class Executor(Protocol):
    """Measures the ranges of one job."""

    @property
    def words(self) -> str:
        """What it is, for the report."""
        ...

    def outcomes(self, tasks: Sequence[RangeTask]) -> Iterator[RangeOutcome]:
        """One outcome a task, as they come. Raises WorkersFailedError where nobody is left to measure."""
        ...


class SerialExecutor:
    """One range after the other in this process."""

    words = "serial, in one process"

    def __init__(self, job: EvalJob) -> None:
        self._measurer = RangeMeasurer(job)

    def outcomes(self, tasks: Sequence[RangeTask]) -> Iterator[RangeOutcome]:
        for task in tasks:
            yield self._measurer.run(task)
