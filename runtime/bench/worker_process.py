"""Starting the worker of a subject, wherever this package lies, and hearing from it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from condmix.runtime.bench.subject import BenchSubject
from condmix.runtime.piped_process import PipedProcess
from condmix.runtime.signature import Tensor
from condmix.runtime.tflite_worker import Head

MODULE = "condmix.runtime.bench.worker"
WORKER_FLAG = "--worker"
"""By this a single-file runner knows that it is started as a worker."""


class Worker(Protocol):
    """Who opens and runs a subject; the text of a WorkerEndedError says how it ended."""

    def receive(self, *, timeout_seconds: float) -> tuple[Head, dict[str, Tensor]]:
        """The next message, without asking."""
        ...

    def ask(
        self, head: Mapping[str, object], arrays: Mapping[str, Tensor], *, timeout_seconds: float
    ) -> tuple[Head, dict[str, Tensor]]:
        """The answer to a message."""
        ...

    def close(self) -> None:
        """Its process has ended."""
        ...


StartWorker = Callable[[BenchSubject], Worker]


def start_worker(subject: BenchSubject) -> Worker:
    """A process of the subject's interpreter. Raises WorkerEndedError when it does not start."""
    return PipedProcess(worker_command(subject.python))


def worker_command(python: Path | None) -> list[str]:
    """What starts a worker: this package as a module, or the archive that it was loaded from.

    An interpreter other than this one must be able to import condmix.runtime, unless there is such an archive.
    """
    interpreter = sys.executable if python is None else str(python)
    archive = next((str(parent) for parent in Path(__file__).parents if parent.is_file()), None)
    if archive is not None:
        return [interpreter, archive, WORKER_FLAG]
    # -P: whatever lies in the current folder is not imported.
    return [interpreter, "-P", "-m", MODULE]
