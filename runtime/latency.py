"""Timing several candidates fairly: interleaved in shuffled rounds, so that none gets the quiet minute."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from condmix.runtime.errors import InvalidSettingError
from condmix.runtime.latency_report import CandidateSamples, LatencyReport, LatencySettings

CONTROL_SUFFIX = " (again)"
_NS_PER_SECOND = 1_000_000_000


def measure(candidates: Mapping[str, Callable[[], object]], *, settings: LatencySettings) -> LatencyReport:
    """Every run of every candidate is on record, by the wall clock and by the thread's CPU clock.

    candidates: name -> one run. The first is the baseline and is timed again as '<name> (again)': what the
    two differ by is the noise of the machine. Each round runs all of them, `block` times each, in a seeded
    order of its own. Whatever a candidate raises passes through.

    Raises InvalidSettingError without candidates, or when a name is taken by the control.
    """
    if not candidates:
        raise InvalidSettingError(["candidates is empty: nothing to measure"], record="measurement")
    first = next(iter(candidates))
    control = first + CONTROL_SUFFIX
    if control in candidates:
        problem = f"the name {control!r} is kept for the control of {first!r}: rename the candidate"
        raise InvalidSettingError([problem], record="measurement")
    runs = {**candidates, control: candidates[first]}
    warmups = {name: _Stopwatch() for name in runs}
    stopwatches = {name: _Stopwatch() for name in runs}
    for name, run in runs.items():
        for _ in range(settings.warmup_runs):
            warmups[name].time(run)

    generator = np.random.default_rng(settings.seed)
    names = list(runs)
    while not all(stopwatch.has_met(settings) for stopwatch in stopwatches.values()):
        for place in generator.permutation(len(names)):
            for _ in range(settings.block):
                stopwatches[names[place]].time(runs[names[place]])
    return LatencyReport(
        settings=settings,
        candidates=tuple(
            CandidateSamples(
                name=name,
                wall_ns=tuple(stopwatches[name].wall_ns),
                cpu_ns=tuple(stopwatches[name].cpu_ns),
                warmup_wall_ns=tuple(warmups[name].wall_ns),
                warmup_cpu_ns=tuple(warmups[name].cpu_ns),
            )
            for name in names
        ),
        control=control,
    )


@dataclass(kw_only=True)
class _Stopwatch:
    """The samples of one candidate while they are being taken."""

    wall_ns: list[int] = field(default_factory=list)
    cpu_ns: list[int] = field(default_factory=list)
    total_wall_ns: int = 0

    def time(self, run: Callable[[], object]) -> None:
        cpu_start = time.thread_time_ns()
        wall_start = time.perf_counter_ns()
        run()
        wall_end = time.perf_counter_ns()
        cpu_end = time.thread_time_ns()
        self.wall_ns.append(wall_end - wall_start)
        self.cpu_ns.append(cpu_end - cpu_start)
        self.total_wall_ns += wall_end - wall_start

    def has_met(self, settings: LatencySettings) -> bool:
        enough_runs = len(self.wall_ns) >= settings.minimum_runs
        return enough_runs and self.total_wall_ns >= settings.minimum_seconds * _NS_PER_SECOND
