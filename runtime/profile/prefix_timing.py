"""The time of modules from models cut at their ends, for a LiteRT that tells no times of its own.

Each prefix is timed in turn with all others; what one takes longer than the one before is the time of the modules
between. A cut ends what the delegate would fuse or leave out across it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from condmix.runtime.audit.example_inputs import example_inputs
from condmix.runtime.latency import measure
from condmix.runtime.latency_report import Clock, LatencyReport, LatencySettings
from condmix.runtime.litert_session import LiteRtBackend, LiteRtSession
from condmix.runtime.profile.prefix_models import PrefixCutter
from condmix.runtime.profile.step import Step
from condmix.runtime.profile.unprofiled import unprofiled_us

MOST_SEGMENTS = 24
MOST_BYTES = 512 << 20
"""Of all prefixes together: each is a model in memory, with half of the weights on average."""
MOST_SECONDS = 20.0
LEAST_ROUNDS = 6
WARMUP_RUNS = 2


@dataclass(frozen=True, kw_only=True)
class Segment:
    """Consecutive operators of one module path, perhaps a shorter one. end: the place behind the last."""

    module: str
    end: int


@dataclass(frozen=True, kw_only=True)
class SegmentTime:
    """A segment. time_us: between the prefix with it and the one without. below_noise: it may as well be none."""

    module: str
    end: int
    time_us: float
    below_noise: bool


def segments_of(steps: Sequence[Step], most: int) -> tuple[Segment, ...]:
    """The operators in at most so many segments, of module paths as long as that allows.

    Where the next longer paths are at most twice as many, neighbours of these are taken together in pairs, and named
    after both.
    """
    paths = [step.module or "" for step in steps]
    deepest = max((path.count(".") + 1 for path in paths), default=1)
    for depth in range(deepest, 0, -1):
        found = _runs([".".join(path.split(".")[:depth]) for path in paths])
        if len(found) <= 2 * most or depth == 1:
            size = -(-len(found) // most)
            groups = [found[start : start + size] for start in range(0, len(found), size)]
            return tuple(_together(group) for group in groups)
    return ()


def _together(group: Sequence[Segment]) -> Segment:
    first, last = group[0].module, group[-1].module
    return Segment(module=first if first == last else f"{first} to {last}", end=group[-1].end)


def time_segments(
    content: bytes, steps: Sequence[Step], whole: LiteRtSession, *, threads: int, runs: int
) -> tuple[tuple[SegmentTime, ...], int]:
    """The time of each segment, and in how many rounds it was found: `runs`, or fewer when that would take too long.

    Raises EngineMissingError, ModelUnreadableError, SessionFailedError.
    """
    segments = segments_of(steps, max(2, min(MOST_SEGMENTS, 2 * MOST_BYTES // len(content))))
    cutter = PrefixCutter(content)
    backend = LiteRtBackend()
    # Without a first part there is the cost of a call itself, which is counted with the first segment.
    sessions = [backend.open(cutter.prefix(segment.end), threads=threads) for segment in segments[:-1]]
    sessions.append(whole)
    feeds = [example_inputs(session.signature, {}) for session in sessions]
    round_seconds = (
        sum(unprofiled_us(session, feed, threads=2, runs=1) for session, feed in zip(sessions, feeds, strict=True))
        / 1e6
    )
    rounds = max(LEAST_ROUNDS, min(runs, int(MOST_SECONDS / max(round_seconds, 1e-6))))
    names = [f"{place}" for place in range(len(sessions))]
    report = measure(
        {name: partial(session.run, feed) for name, session, feed in zip(names, sessions, feeds, strict=True)},
        settings=LatencySettings(warmup_runs=WARMUP_RUNS, minimum_runs=rounds, minimum_seconds=0, block=1, seed=0),
    )
    return differences(report, names, segments, Clock.CPU if threads == 1 else Clock.WALL), rounds


def differences(
    report: LatencyReport, names: Sequence[str], segments: Sequence[Segment], clock: Clock
) -> tuple[SegmentTime, ...]:
    """The median over rounds of what each prefix takes longer than the one before, which is 0 or less below the noise.

    A difference counts when 95 % of such medians would lie above 0 (order statistics of the rounds).
    """
    samples = [report.candidate(name).samples_ns(clock) for name in names]
    before: npt.NDArray[np.int64] = np.zeros_like(samples[0])
    found = []
    for segment, own in zip(segments, samples, strict=True):
        paired = np.sort(own - before)
        found.append(
            SegmentTime(
                module=segment.module,
                end=segment.end,
                time_us=float(np.median(paired)) / 1e3,
                below_noise=lower_end(paired) <= 0,
            )
        )
        before = own
    return tuple(found)


def lower_end(ordered: npt.NDArray[np.int64]) -> float:
    """The lower end of the 95 % interval of the median of values in ascending order (normal approximation)."""
    count = len(ordered)
    return float(ordered[max(0, int((count - 1.96 * count**0.5) / 2))])


def _runs(names: Sequence[str]) -> list[Segment]:
    found: list[Segment] = []
    for place, name in enumerate(names):
        if found and found[-1].module == name:
            found.pop()
        found.append(Segment(module=name, end=place + 1))
    return found
