"""What a run cost: seconds a stage, and the most memory the process ever held."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping


class StageClock:
    """Passes stage names on and measures the time between them. Call it as a stage starts."""

    def __init__(self, report_progress: Callable[[str], None]) -> None:
        self._report_progress = report_progress
        self._seconds: dict[str, float] = {}
        self._current: str | None = None
        self._started = time.perf_counter()

    def __call__(self, stage: str) -> None:
        """The stage before has ended, `stage` has started."""
        self._close()
        self._current = stage
        self._seconds.setdefault(stage, 0.0)
        self._report_progress(stage)

    def stop(self) -> Mapping[str, float]:
        """Seconds of every stage, in order; the last one has ended."""
        self._close()
        self._current = None
        return dict(self._seconds)

    def _close(self) -> None:
        now = time.perf_counter()
        if self._current is not None:
            self._seconds[self._current] += now - self._started
        self._started = now


def peak_memory_bytes() -> int | None:
    """The process's largest resident size until now; None where the system does not tell (Windows)."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts kibibytes, macOS bytes.
    return peak if sys.platform == "darwin" else peak * 1024
