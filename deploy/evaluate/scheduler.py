"""--scheduler and --workers: where ranges are measured, and the executor for it."""

from __future__ import annotations

import difflib
import importlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

import click

from condmix.deploy.errors import PlanError
from condmix.deploy.evaluate.errors import DaskMissingError
from condmix.runtime.errors import one_line

if TYPE_CHECKING:
    from condmix.deploy.evaluate.executor import Executor
    from condmix.deploy.evaluate.job import EvalJob

SERIAL, LOCAL = "serial", "local"
_ADDRESS = re.compile(r"tcp://(\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):(\d{1,5})")
LARGEST_PORT = 65_535


@dataclass(frozen=True, kw_only=True)
class Scheduler:
    """serial, local, or the address of Dask's scheduler. workers: of a local one. Raises PlanError."""

    name: str
    workers: int | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and self.name != LOCAL:
            summary = "these flags contradict each other:"
            raise PlanError(summary, [f"--workers is about a local cluster, and --scheduler is {self.name}"])

    @property
    def is_remote(self) -> bool:
        """The workers are somebody else's, perhaps on other machines."""
        return self.name not in (SERIAL, LOCAL)

    def require_packages(self) -> None:
        """What is needed can be imported. Raises DaskMissingError."""
        if self.name != SERIAL:
            _dask_cluster()

    @contextmanager
    def executor(self, job: EvalJob, *, ranges: int) -> Iterator[Executor]:
        """Inside, somebody measures. ranges: there are so many, and never more workers.

        Raises DaskMissingError, WorkersFailedError.
        """
        if self.name == SERIAL:
            from condmix.deploy.evaluate.executor import SerialExecutor

            yield SerialExecutor(job)
            return
        dask_cluster = _dask_cluster()
        if self.name == LOCAL:
            with dask_cluster.local_cluster(job, min(self.workers or usable_cores(), ranges)) as found:
                yield found
        else:
            with dask_cluster.existing_cluster(job, self.name) as found:
                yield found


class SchedulerText(click.ParamType[str]):
    """serial, local or tcp://HOST:PORT."""

    name = "scheduler"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002 - click's signature
        """As --help shows it."""
        return "serial|local|tcp://HOST:PORT"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word or the address."""
        found = _ADDRESS.fullmatch(value)
        if value in (SERIAL, LOCAL) or (found is not None and 0 < int(found[2]) <= LARGEST_PORT):
            return value
        nearest = difflib.get_close_matches(value, (SERIAL, LOCAL), n=1, cutoff=0.4)
        hint = f"did you mean {nearest[0]!r}? " if nearest else ""
        self.fail(f"{value!r} is not a scheduler: {hint}valid: serial, local, tcp://HOST:PORT", param, ctx)


def usable_cores() -> int:
    """That this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _dask_cluster() -> ModuleType:
    """The adapter; it is imported where it is needed, and nowhere else."""
    try:
        for package in ("dask", "distributed"):
            importlib.import_module(package)
    except ImportError as error:
        raise DaskMissingError(one_line(error)) from error
    return importlib.import_module("condmix.deploy.evaluate.dask_cluster")
