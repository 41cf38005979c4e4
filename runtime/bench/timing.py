"""What a worker does when it is asked: opens its subject, warms it up, times its runs."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from condmix.runtime.bench.memory import read_memory
from condmix.runtime.signature import Signature, Tensor
from condmix.runtime.tflite_worker import Head

_NS_PER_SECOND = 1_000_000_000
_QUIET_SHARE = 0.1
_QUIET_STEP_SECONDS = 0.001
_QUIET_STEPS = 20
Feeds = Mapping[str, Tensor]
Times = npt.NDArray[np.int64]


class TimedSession(Protocol):
    """The part of a session that is timed."""

    @property
    def signature(self) -> Signature:
        """What it takes and gives."""
        ...

    def run_checked(self, feeds: Feeds) -> dict[str, Tensor]:
        """All outputs by name, of feeds that fit."""
        ...


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A session with what is told about it; `describe` is asked after the last timed run."""

    session: TimedSession
    engine_version: str
    load_ns: int
    scales: Mapping[str, tuple[float, int]] = field(default_factory=dict)
    holds_integers: bool | None = None
    describe: Callable[[], Mapping[str, object] | None] = lambda: None


OpenSubject = Callable[[Head], Opened]


def time_runs(run: Callable[[Feeds], object], feeds: Sequence[Feeds], *, first: int, runs: int) -> tuple[Times, ...]:
    """(start_ns, wall_ns, cpu_ns), each [runs], of that many runs, fed in turn from `feeds[first]` on.

    start_ns is of a clock that all processes of the machine share. What is done for each run besides running it is
    four readings of clocks and three stores.
    """
    start_ns, wall_ns, cpu_ns = (np.zeros(runs, np.int64) for _ in range(3))
    in_turn = [feeds[(first + place) % len(feeds)] for place in range(runs)]
    clock, cpu_clock = time.perf_counter_ns, time.process_time_ns
    for place, one in enumerate(in_turn):
        cpu_start = cpu_clock()
        start = clock()
        run(one)
        end = clock()
        cpu_ns[place] = cpu_clock() - cpu_start
        start_ns[place] = start
        wall_ns[place] = end - start
    return start_ns, wall_ns, cpu_ns


class Bench:
    """The answers to all requests, whatever the session is."""

    def __init__(self, open_subject: OpenSubject) -> None:
        self._open_subject = open_subject
        self._opened: Opened | None = None
        self._feeds: list[Feeds] = []
        self._threads = 1

    def answer(self, head: Head, arrays: dict[str, Any]) -> tuple[Head, dict[str, Any]]:
        """The answer to one request. Raises what the session raises."""
        kind = head["kind"]
        if kind == "open":
            return self._open(head), {}
        if kind == "start":
            return self._start(head, arrays)
        if kind == "check":
            return {"kind": "checked"}, self._run_once(_split(head, arrays))
        if kind == "turn":
            return self._turn(head)
        return self._finish(), {}

    @property
    def _session(self) -> TimedSession:
        assert self._opened is not None
        return self._opened.session

    def _open(self, head: Head) -> Head:
        self._threads = head["threads"]
        opened = self._opened = self._open_subject(head)
        return {
            "kind": "opened",
            "signature": opened.session.signature.to_dict(),
            "scales": {name: list(pair) for name, pair in opened.scales.items()},
            "holds_integers": opened.holds_integers,
            "engine_version": opened.engine_version,
            "load_ns": opened.load_ns,
            "memory_loaded_bytes": read_memory().resident_bytes,
        }

    def _start(self, head: Head, arrays: dict[str, Any]) -> tuple[Head, dict[str, Any]]:
        self._feeds = _split(head, arrays)
        wall: list[int] = []
        stacked = self._run_once(self._feeds, wall)  # the first inference, and what the outputs are judged by
        first, warmup = wall[0], wall[1:]
        total_ns, place = sum(warmup), 0
        while len(warmup) < head["warmup_runs"] or total_ns < head["warmup_seconds"] * _NS_PER_SECOND:
            _, (spent,), _ = time_runs(self._session.run_checked, self._feeds, first=place, runs=1)
            warmup.append(int(spent))
            total_ns, place = total_ns + int(spent), place + 1
        gc.collect()
        gc.freeze()  # from now on a collection finds next to nothing to look through
        self._wait_until_quiet()
        return {"kind": "started", "first_inference_ns": first, "warmup_wall_ns": warmup}, stacked

    def _run_once(self, all_feeds: Sequence[Feeds], wall: list[int] | None = None) -> dict[str, Tensor]:
        """name -> [K, ...], each feed once; the times are added to `wall`."""
        outputs: list[dict[str, Tensor]] = []
        for feeds in all_feeds:
            self._session.signature.check(feeds)

        def run(feeds: Feeds) -> None:
            outputs.append(self._session.run_checked(feeds))

        _, spent, _ = time_runs(run, all_feeds, first=0, runs=len(all_feeds))
        if wall is not None:
            wall += spent.tolist()
        return {name: np.stack([output[name] for output in outputs]) for name in outputs[0]}

    def _turn(self, head: Head) -> tuple[Head, dict[str, Any]]:
        time_runs(self._session.run_checked, self._feeds, first=head["first"], runs=head["settling_runs"])
        times = time_runs(self._session.run_checked, self._feeds, first=head["first"], runs=head["runs"])
        self._wait_until_quiet()
        return {"kind": "turned"}, dict(zip(("start_ns", "wall_ns", "cpu_ns"), times, strict=True))

    def _finish(self) -> Head:
        assert self._opened is not None
        peak = read_memory().peak_bytes  # before anything is described, which takes memory of its own
        return {"kind": "finished", "peak_memory_bytes": peak, "delegate_coverage": self._opened.describe()}

    def _wait_until_quiet(self) -> None:
        """The engine's other threads have stopped spinning for work, which they would take from the next subject."""
        if self._threads == 1:
            return
        for _ in range(_QUIET_STEPS):
            wall, cpu = time.perf_counter_ns(), time.process_time_ns()
            time.sleep(_QUIET_STEP_SECONDS)
            if time.process_time_ns() - cpu < _QUIET_SHARE * (time.perf_counter_ns() - wall):
                return


def _split(head: Head, arrays: Mapping[str, Tensor]) -> list[Feeds]:
    return [{name: array[place] for name, array in arrays.items()} for place in range(head["feeds"])]
