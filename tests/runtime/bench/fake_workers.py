"""Workers without a process: the real timing around a session that only sleeps or counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from condmix.runtime.bench.subject import BenchSubject
from condmix.runtime.bench.timing import Bench, Opened
from condmix.runtime.piped_process import WorkerEndedError
from condmix.runtime.signature import Signature, Tensor, TensorSpec
from condmix.runtime.tflite_worker import Head

SIGNATURE = Signature(
    inputs=(TensorSpec(name="x", shape=("n", 2), dtype="float32"),),
    outputs=(TensorSpec(name="y", shape=("n", 2), dtype="float32"),),
)
Work = Callable[[int], None]


class FakeSession:
    """y = 2 x, after `work(number of the run)`."""

    signature = SIGNATURE

    def __init__(self, work: Work) -> None:
        self._work = work
        self.runs = 0

    def run_checked(self, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The double."""
        self._work(self.runs)
        self.runs += 1
        return {"y": 2 * feeds["x"]}


class FakeWorker:
    """Answers as a worker process does, in this process."""

    def __init__(self, work: Work, *, dies_after_turns: int | None = None) -> None:
        self._bench = Bench(lambda _head: Opened(session=FakeSession(work), engine_version="1", load_ns=7_000_000))
        self._turns_left = dies_after_turns
        self.closed = False

    def receive(self, *, timeout_seconds: float) -> tuple[Head, dict[str, Tensor]]:
        """Ready at once."""
        assert timeout_seconds > 0
        return {"kind": "ready", "memory_before_bytes": None}, {}

    def ask(
        self, head: Mapping[str, object], arrays: Mapping[str, Tensor], *, timeout_seconds: float
    ) -> tuple[Head, dict[str, Tensor]]:
        """The answer of the real worker."""
        assert not self.closed
        if head["kind"] == "turn" and self._turns_left is not None:
            self._turns_left -= 1
            if self._turns_left < 0:
                text = f"the worker process gave no answer within {timeout_seconds:g} s"
                raise WorkerEndedError(text)
        return self._bench.answer(dict(head), {name: np.array(array) for name, array in arrays.items()})

    def close(self) -> None:
        """Nothing more is asked."""
        self.closed = True


def sleeping(seconds: Callable[[int], float]) -> Work:
    """Work that takes known time without the CPU; seconds: of the run with that number."""
    return lambda number: time.sleep(seconds(number))


def busy(seconds: Callable[[int], float]) -> Work:
    """Work that takes known time with the CPU."""

    def work(number: int) -> None:
        end = time.perf_counter() + seconds(number)
        while time.perf_counter() < end:
            pass

    return work


def subject(name: str, folder: Path) -> BenchSubject:
    """A subject with some file, which fake workers never open."""
    path = folder / f"{name}.onnx"
    path.write_bytes(b"\x08" + name.encode())
    return BenchSubject(name=name, file=path, engine="onnxruntime")
