"""Dask's workers, real ones: the result of a serial run to the last bit, also when a worker is killed on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from distributed.scheduler import KilledWorker

from condmix.deploy.evaluate import dask_cluster
from condmix.deploy.evaluate.dask_cluster import DaskExecutor, existing_cluster, local_cluster
from condmix.deploy.evaluate.errors import WorkersFailedError
from condmix.deploy.evaluate.executor import SerialExecutor
from condmix.deploy.evaluate.flow import EvalPlan
from condmix.deploy.evaluate.job import FailureKind, RangeOutcome, RangeTask
from condmix.deploy.evaluate.ranges import cut
from condmix.deploy.exit_codes import ExitCode, code_of
from tests.deploy.conftest import Run
from tests.deploy.evaluate.conftest import noisy, write_labelled, write_onnx

LIMIT_SECONDS = 60.0
KILLED = KilledWorker("key", SimpleNamespace(address="a"), 2)  # type: ignore[no-untyped-call]


def tasks_of(plan: EvalPlan, length: int = 2) -> list[RangeTask]:
    places = tuple(range(len(plan.job.files)))
    ranges = cut(plan.labelled.images, length)
    return [RangeTask(start=start, images=images, files=places) for start, images in ranges]


def by_start(outcomes: list[RangeOutcome]) -> dict[int, object]:
    assert [outcome.failures for outcome in outcomes] == [()] * len(outcomes)
    return {outcome.task.start: outcome.rows for outcome in outcomes}


@pytest.mark.slow  # two processes that import the engines
def test_a_killed_worker_changes_nothing(plan: EvalPlan) -> None:
    tasks = tasks_of(plan)
    expected = by_start(list(SerialExecutor(plan.job).outcomes(tasks)))
    found: list[RangeOutcome] = []
    with local_cluster(plan.job, 2) as executor:
        assert executor.words == "Dask, 2 local processes"
        addresses = executor._client.scheduler_info()["workers"]
        assert len(addresses) == 2
        assert all(address.startswith("tcp://127.0.0.1:") for address in addresses)
        (victim, *_) = executor._client.run(os.getpid).values()
        for number, outcome in enumerate(executor.outcomes(tasks)):
            found.append(outcome)
            if number == 1:
                os.kill(victim, signal.SIGKILL)
        assert victim not in executor._client.run(os.getpid).values()
    assert by_start(found) == expected


@contextmanager
def scheduler(*, workers: int) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler in a process of its own, with workers in theirs; its address, and the processes."""
    programs = []
    try:
        port = _free_port()
        address = f"tcp://127.0.0.1:{port}"
        start = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port)]
        programs.append(subprocess.Popen([*start, "--no-dashboard"], stderr=subprocess.DEVNULL))
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-nanny", "--no-dashboard"]
        programs += [
            subprocess.Popen([*worker, "--nthreads", "2", "--host", "127.0.0.1"], stderr=subprocess.DEVNULL)
            for _ in range(workers)
        ]
        yield address, programs
    finally:
        for program in programs:
            program.kill()
            program.wait()


def _free_port() -> int:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@pytest.mark.slow  # a scheduler and a worker, each a process of its own
def test_an_existing_cluster_gives_the_same_and_is_left_as_it_was(
    condmix: Run, files: tuple[Path, ...], labelled: Path, plan: EvalPlan, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    usual: list[object] = ["eval", *files, "--labelled", labelled, "--shard-size", 4, "--scheduler"]
    assert condmix(*usual, "serial", "-o", tmp_path / "serial").code == ExitCode.OK
    with scheduler(workers=1) as (address, programs):
        ran = condmix(*usual, address, "-o", tmp_path / "cluster")
        assert ran.code == ExitCode.OK, ran.err
        assert f"Dask at {address}" in ran.out
        with existing_cluster(plan.job, address) as executor:
            (plugins,) = executor._client.run(lambda dask_worker: list(dask_worker.plugins)).values()
            assert len([name for name in plugins if name.startswith("condmix-eval")]) == 1
            programs[0].kill()
            monkeypatch.setattr(dask_cluster, "NO_WORKER_SECONDS", 1.0)
            with pytest.raises(WorkersFailedError) as caught:
                list(executor.outcomes(tasks_of(plan)))
    assert "Add --resume" in str(caught.value)
    assert code_of(caught.value) is ExitCode.MISSING
    results = [json.loads((tmp_path / name / "eval.json").read_text())["results"] for name in ("serial", "cluster")]
    assert json.dumps(results[0]) == json.dumps(results[1])


@pytest.mark.slow  # a whole command line with a cluster, twice
def test_ctrl_c_keeps_what_is_done_without_a_traceback(tmp_path: Path) -> None:
    files = [write_onnx(tmp_path / "a.onnx"), write_onnx(tmp_path / "b.onnx", noisy(0.3))]
    labelled = write_labelled(tmp_path / "many.npz", count=2_500)
    command = [
        sys.executable, "-m", "condmix.deploy", "eval", *map(str, files), "--labelled", str(labelled),
        "--workers", "2", "--shard-size", "20", "-o", str(tmp_path / "out"),
    ]  # fmt: skip
    program = subprocess.Popen(
        command, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until = time.monotonic() + LIMIT_SECONDS
    while not list((tmp_path / "out" / "shards").glob("*.shard.json")) and time.monotonic() < until:
        time.sleep(0.05)
    # As a terminal does: to every process of the group.
    os.killpg(program.pid, signal.SIGINT)
    out, err = program.communicate(timeout=LIMIT_SECONDS)
    assert program.returncode == ExitCode.INTERRUPTED, err
    assert "shards, which are kept in" in err
    assert "Traceback" not in out + err
    assert not (tmp_path / "out" / "eval.json").exists()
    done = subprocess.run(
        [*command, "--resume"], capture_output=True, text=True, timeout=2 * LIMIT_SECONDS, check=False
    )
    assert done.returncode == ExitCode.OK, done.stderr
    assert "of them from an earlier run; Dask, 2 local processes" in done.stdout


def test_where_no_scheduler_answers_that_is_said(plan: EvalPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_cluster, "CONNECT_SECONDS", 0.5)
    address = f"tcp://127.0.0.1:{_free_port()}"
    with pytest.raises(WorkersFailedError, match="no scheduler answers") as caught, existing_cluster(plan.job, address):
        pass
    assert str(caught.value).startswith(f"{address}: workers failed:")
    assert "Start one (dask scheduler), give its address, or leave --scheduler out" in str(caught.value)


class Client:
    """Stands in for Dask's, in everything that is asked of it here."""

    status = "running"

    def __init__(self, *, workers: int = 1, refuses: bool = False) -> None:
        self._workers, self._refuses = workers, refuses

    def wait_for_workers(self, count: int, timeout: float) -> None:
        del count, timeout
        if not self._workers:
            raise TimeoutError

    def register_plugin(self, plugin: object, name: str) -> None:
        del plugin, name
        if self._refuses:
            message = "No module named 'condmix'"
            raise ModuleNotFoundError(message)

    def unregister_worker_plugin(self, name: str) -> None:
        message = f"{name}: the scheduler is gone"
        raise OSError(message)

    def nthreads(self) -> dict[str, int]:
        if not self._workers:
            message = "closed"
            raise OSError(message)
        return {"tcp://a": self._workers}


def executor_of(plan: EvalPlan, client: Any) -> DaskExecutor:
    return DaskExecutor(client, plan.job, address="tcp://a:1", words="")


@pytest.mark.parametrize(
    ("client", "said"),
    [
        (Client(workers=0), "no worker within 30 s"),
        (Client(refuses=True), "workers cannot take the job: No module named 'condmix'"),
    ],
)
def test_workers_that_cannot_begin_are_named(plan: EvalPlan, client: Client, said: str) -> None:
    with pytest.raises(WorkersFailedError, match=said), executor_of(plan, client).ready():
        pass


def test_a_scheduler_that_goes_at_the_end_hides_nothing(plan: EvalPlan) -> None:
    with executor_of(plan, Client()).ready():
        pass
    problem = "what mattered"
    with pytest.raises(KeyError, match=problem), executor_of(plan, Client()).ready():
        raise KeyError(problem)


def test_a_scheduler_that_is_gone_is_named(plan: EvalPlan) -> None:
    with pytest.raises(WorkersFailedError, match="the scheduler does not answer: closed"):
        list(executor_of(plan, Client(workers=0)).outcomes(tasks_of(plan)))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KILLED, "its worker died each time it was measured"),
        (MemoryError("too much"), "a worker failed: MemoryError: too much"),
    ],
)
def test_what_a_worker_dies_of_is_a_failure_of_its_range(plan: EvalPlan, error: Exception, said: str) -> None:
    future: Any = SimpleNamespace(status="error", exception=lambda: error)
    (task, *_) = tasks_of(plan)
    outcome = executor_of(plan, Client())._outcome(future, task)
    (failure,) = outcome.failures
    assert (failure.kind, failure.files) == (FailureKind.WORKER, task.files)
    assert said in failure.reason


def test_a_cancelled_range_means_that_the_scheduler_is_lost(plan: EvalPlan) -> None:
    future: Any = SimpleNamespace(status="cancelled")
    with pytest.raises(WorkersFailedError, match="the scheduler was lost"):
        executor_of(plan, Client())._outcome(future, tasks_of(plan)[0])
