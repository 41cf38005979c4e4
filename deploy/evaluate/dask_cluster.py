"""Ranges on Dask's workers: the only place that knows Dask, imported where more than one process was asked for.

Workers get the job once, by a plugin, and keep files open from one range to the next; ranges travel as names and
hashes.
"""

from __future__ import annotations

import logging
import signal
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import resource_tracker
from typing import cast

import dask
from distributed import Client, Future, LocalCluster, Worker, WorkerPlugin, get_worker, wait
from distributed.scheduler import KilledWorker

from condmix.deploy.evaluate.errors import WorkersFailedError
from condmix.deploy.evaluate.job import EvalJob, Failure, FailureKind, RangeOutcome, RangeTask
from condmix.deploy.evaluate.measurer import RangeMeasurer
from condmix.runtime.errors import one_line

CONNECT_SECONDS = 15.0
NO_WORKER_SECONDS = 30.0
"""So long a run waits while there is no worker at all; a local one that died is back in two."""
LOOK_SECONDS = 2.0
RANGES_A_WORKER = 3
"""Submitted ahead: enough that nobody waits, few enough that an interruption loses little."""
DEATHS = 2
"""A range may cost its worker's life this often and be tried again, in a cluster of our own."""
RESUME = "Add --resume to the same command: what was measured is kept."


class MeasurerPlugin(WorkerPlugin):
    """A worker's part: a measurer for each of its threads, for as long as the run lasts."""

    def __init__(self, name: str, job: EvalJob) -> None:
        self.name = name
        self._job = job

    def setup(self, worker: Worker) -> None:
        """Dask calls this on the worker."""
        del worker
        self._own = threading.local()

    def run(self, task: RangeTask) -> RangeOutcome:
        """What came of the task."""
        if not hasattr(self._own, "measurer"):
            # An open file is for one thread.
            self._own.measurer = RangeMeasurer(self._job)
        outcome: RangeOutcome = self._own.measurer.run(task)
        return outcome


def measure_on_worker(name: str, task: RangeTask) -> RangeOutcome:
    """The outcome of a task, on the worker that this runs on."""
    return cast(MeasurerPlugin, get_worker().plugins[name]).run(task)


class DaskExecutor:
    """Ranges on the workers of a client. Made by `local_cluster` and `existing_cluster`."""

    def __init__(self, client: Client, job: EvalJob, *, address: str, words: str) -> None:
        self.words = words
        self._client, self._address = client, address
        self._name = f"condmix-eval-{uuid.uuid4().hex}"
        self._plugin = MeasurerPlugin(self._name, job)
        self._lost = False

    @contextmanager
    def ready(self) -> Iterator[DaskExecutor]:
        """Inside, workers have the job; after it they have nothing of ours. Raises WorkersFailedError."""
        try:
            self._client.wait_for_workers(1, timeout=NO_WORKER_SECONDS)
        except TimeoutError as error:
            problem = f"no worker within {NO_WORKER_SECONDS:.0f} s"
            raise self._failed(problem, "Start workers, then try again.") from error
        try:
            self._client.register_plugin(self._plugin, name=self._name)
        except Exception as error:
            next_step = "Workers need the same condmix and its engines: pip install 'condmix[eval,export]' there."
            problem = f"workers cannot take the job: {one_line(error)}"
            raise self._failed(problem, next_step) from error
        try:
            yield self
        finally:
            if not self._lost and self._client.status == "running":
                # A scheduler that goes just now must not hide what the block ended with.
                with suppress(OSError, TimeoutError, RuntimeError):
                    self._client.unregister_worker_plugin(self._name)  # type: ignore[no-untyped-call]

    def outcomes(self, tasks: Sequence[RangeTask]) -> Iterator[RangeOutcome]:
        """One outcome a task, as they come. Raises WorkersFailedError where nobody is left to measure."""
        waiting = list(reversed(tasks))
        running: dict[Future[RangeOutcome], RangeTask] = {}
        seen = time.monotonic()
        try:
            while waiting or running:
                workers = self._threads()
                while waiting and len(running) < RANGES_A_WORKER * max(workers, 1):
                    task = waiting.pop()
                    running[self._submit(task)] = task
                seen = time.monotonic() if workers else seen
                if time.monotonic() - seen > NO_WORKER_SECONDS:
                    problem = f"no worker for {NO_WORKER_SECONDS:.0f} s"
                    raise self._failed(problem, RESUME)
                for future in self._finished(list(running)):
                    yield self._outcome(future, running.pop(future))
        finally:
            for future in running:
                future.release()  # type: ignore[no-untyped-call]

    def _submit(self, task: RangeTask) -> Future[RangeOutcome]:
        return self._client.submit(
            measure_on_worker, self._name, task, key=f"{self._name}-{uuid.uuid4().hex}", pure=False
        )

    def _finished(self, running: Sequence[Future[RangeOutcome]]) -> Sequence[Future[RangeOutcome]]:
        try:
            with self._client.as_current():  # `wait` looks for a client of its own
                found = wait(running, LOOK_SECONDS, "FIRST_COMPLETED")  # type: ignore[no-untyped-call]
        except TimeoutError:
            return []
        return list(found.done)

    def _outcome(self, future: Future[RangeOutcome], task: RangeTask) -> RangeOutcome:
        if future.status == "cancelled":
            self._lost = True
            problem = "the scheduler was lost, and with it what ran"
            raise self._failed(problem, RESUME)
        error = future.exception()  # type: ignore[no-untyped-call]
        if error is None:
            found: RangeOutcome = future.result()
            return found
        reason = f"a worker failed: {type(error).__name__}: {one_line(error)}"
        if isinstance(error, KilledWorker):
            reason = "its worker died each time it was measured: out of memory, or the engine crashed"
        failure = Failure(files=task.files, kind=FailureKind.WORKER, reason=reason)
        return RangeOutcome(task=task, rows={}, failures=(failure,), machine="")

    def _threads(self) -> int:
        """Of all workers that there are now. Raises WorkersFailedError when the scheduler does not answer."""
        try:
            found: dict[str, int] = self._client.nthreads()  # type: ignore[no-untyped-call]
        except (OSError, TimeoutError, RuntimeError) as error:
            self._lost = True
            problem = f"the scheduler does not answer: {one_line(error)}"
            raise self._failed(problem, RESUME) from error
        return sum(found.values())

    def _failed(self, problem: str, next_step: str) -> WorkersFailedError:
        return WorkersFailedError(self._address, [problem], next_step)


@contextmanager
def local_cluster(job: EvalJob, workers: int) -> Iterator[DaskExecutor]:
    """Inside, so many processes of this machine measure; they listen on loopback only and have no dashboard."""
    with ExitStack() as stack:
        stack.enter_context(_quiet())
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="condmix-eval-", ignore_cleanup_errors=True))
        stack.enter_context(
            dask.config.set({"distributed.scheduler.allowed-failures": DEATHS, "temporary-directory": scratch})
        )
        with _interrupts_blocked():
            cluster = LocalCluster(  # type: ignore[no-untyped-call]
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address=None,
                # Dask would pause a worker that uses much memory, and the run with it; here nothing piles up.
                memory_limit=None,
                silence_logs=logging.CRITICAL,
            )
        stack.enter_context(cluster)
        client = Client(cluster, set_as_default=False)  # type: ignore[no-untyped-call]
        stack.enter_context(client)
        words = f"Dask, {workers} local process{'' if workers == 1 else 'es'}"
        executor = DaskExecutor(client, job, address="local cluster", words=words)
        yield stack.enter_context(executor.ready())


@contextmanager
def existing_cluster(job: EvalJob, address: str) -> Iterator[DaskExecutor]:
    """Inside, the workers of the scheduler at `address` measure. Raises WorkersFailedError where nobody answers."""
    with ExitStack() as stack:
        stack.enter_context(_quiet())
        try:
            client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)  # type: ignore[no-untyped-call]
        except (OSError, TimeoutError, ValueError) as error:
            problem = f"no scheduler answers: {one_line(error)}"
            next_step = "Start one (dask scheduler), give its address, or leave --scheduler out for a local one."
            raise WorkersFailedError(address, [problem], next_step) from error
        stack.enter_context(client)
        executor = DaskExecutor(client, job, address=address, words=f"Dask at {address}")
        yield stack.enter_context(executor.ready())


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Threads and processes that begin inside never see Ctrl-C, which a terminal sends to all: this thread ends them.

    One that is pressed inside arrives after the block.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # Whichever thread starts Python's resource tracker gets its interrupts unblocked: so it must not be a new one.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _quiet() -> Iterator[None]:
    """Dask's own log stays silent: what matters becomes an outcome or an error of ours."""
    logger = logging.getLogger("distributed")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
