"""The profile of a LiteRT file as its operators: asked of a process of its own, so that nothing can end this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from condmix.runtime.litert_session import DELEGATE_NODE
from condmix.runtime.profile.litert_library import DELEGATED_EVENT, INVOKE, OPERATOR_EVENT
from condmix.runtime.signature import Tensor

MODULE = "condmix.runtime.profile.litert_library"
SECONDS_TO_ANSWER = 120.0
LEAST_SHARE = 0.5
_LAST_CHARACTERS = 300


class NoEngineProfileError(Exception):
    """The engine told nothing; the text says why. Never leaves this folder: another method is taken."""


@dataclass(frozen=True, kw_only=True)
class Timed:
    """Something that the engine timed. place: of an operator in the file, of a delegated one in its partition."""

    name: str
    place: int
    time_us: float


@dataclass(frozen=True, kw_only=True)
class EngineEvents:
    """What the engine told of a call.

    operators: run by its own kernels. partitions: of the delegate, in running order, each with its operators.
    total_us: of the whole call.
    """

    total_us: float
    operators: tuple[Timed, ...]
    partitions: tuple[tuple[Timed, ...], ...]

    @property
    def count(self) -> int:
        """Of everything timed."""
        return len(self.operators) + sum(map(len, self.partitions))

    @property
    def operators_us(self) -> float:
        """The sum of everything timed, the delegate's parts as their operators."""
        own = sum(one.time_us for one in self.operators if one.name != DELEGATE_NODE)
        return own + sum(one.time_us for part in self.partitions for one in part)


def engine_events(path: Path, inputs: Sequence[Tensor], *, threads: int, runs: int) -> EngineEvents:
    """The times, each the mean of the faster half of `runs` calls.

    inputs: in the order of the file.

    Raises NoEngineProfileError when the library is missing, another one, fails or does not answer.
    """
    with tempfile.TemporaryDirectory(prefix="condmix-profile-") as folder:
        arrays, answer = Path(folder) / "inputs.npz", Path(folder) / "answer.json"
        stored: dict[str, Any] = {str(place): values for place, values in enumerate(inputs)}
        np.savez(arrays, **stored)
        _ask(str(path.absolute()), str(arrays), str(threads), str(runs), str(answer))
        if not answer.is_file():
            text = "the process that profiles wrote no answer"
            raise NoEngineProfileError(text)
        found = json.loads(answer.read_text(encoding="utf-8"))
    if "error" in found:
        raise NoEngineProfileError(found["error"])
    return read_events(found["events"], np.array(found["elapsed_us"], dtype=np.float64))


def read_events(
    events: Sequence[tuple[str, int, int]], elapsed_us: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
) -> EngineEvents:
    """The times of one call. events: (tag, kind, place). elapsed_us: [runs, events].

    Raises NoEngineProfileError when the whole call is not among the events.
    """
    times = faster_half_mean(elapsed_us)
    total_us = None
    operators: list[Timed] = []
    partitions: list[list[Timed]] = []
    before: tuple[int, int] = (0, 0)
    for (tag, kind, place), time_us in zip(events, times, strict=True):
        timed = Timed(name=tag, place=place, time_us=float(time_us))
        if tag == INVOKE:
            total_us = float(time_us)
        elif kind == OPERATOR_EVENT:
            operators.append(timed)
        elif kind == DELEGATED_EVENT:
            # Places count up within a partition and start again in the next.
            if before[0] != DELEGATED_EVENT or place <= before[1]:
                partitions.append([])
            partitions[-1].append(timed)
        before = (kind, place)
    if total_us is None:
        text = "the engine did not tell how long the whole call took"
        raise NoEngineProfileError(text)
    return EngineEvents(total_us=total_us, operators=tuple(operators), partitions=tuple(map(tuple, partitions)))


def faster_half_mean(
    elapsed_us: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """[events] the mean of the faster half of the runs of each: other programs only lengthen a time, and whole
    microseconds are too coarse for a median."""
    ordered = np.sort(elapsed_us, axis=0)
    return np.asarray(ordered[: -(-len(ordered) // 2)].mean(axis=0))


def check_fine_enough(events: EngineEvents, plain_us: float) -> None:
    """The times make up at least half of a call. Those of short operators do not: the engine rounds them down to 0.

    plain_us: of a call that is not profiled.

    Raises NoEngineProfileError.
    """
    call_us = min(plain_us, events.total_us)
    if events.operators_us < LEAST_SHARE * call_us:
        text = (
            "most operators are too short for the whole microseconds it tells: "
            f"they sum up to {events.operators_us:.0f} us of {call_us:.0f}"
        )
        raise NoEngineProfileError(text)


def _ask(*arguments: str) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-P", "-m", MODULE, *arguments]
    try:
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            timeout=SECONDS_TO_ANSWER,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        text = f"the process that profiles did not answer within {SECONDS_TO_ANSWER:g} s"
        raise NoEngineProfileError(text) from error
    except OSError as error:
        text = f"no process could be started to profile in: {error}"
        raise NoEngineProfileError(text) from error
    if done.returncode:
        words = " ".join(done.stderr.decode(errors="replace").split())[-_LAST_CHARACTERS:]
        text = f"the process that profiles ended with {done.returncode}: {words}"
        raise NoEngineProfileError(text)
