"""How long a call takes that nobody profiles, to say what profiling adds: few calls, no latency to quote."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping

from condmix.runtime.session import Session
from condmix.runtime.signature import Tensor

WARMUP_RUNS = 3


def unprofiled_us(session: Session, feeds: Mapping[str, Tensor], *, threads: int, runs: int) -> float:
    """The median of `runs` calls: on one thread its own time, which other programs lengthen least, else what passes.

    Raises what running raises.
    """
    clock = time.thread_time_ns if threads == 1 else time.perf_counter_ns
    for _ in range(WARMUP_RUNS):
        session.run(feeds)
    times_ns = []
    for _ in range(runs):
        start_ns = clock()
        session.run(feeds)
        times_ns.append(clock() - start_ns)
    return statistics.median(times_ns) / 1e3
