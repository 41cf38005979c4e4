"""Measurements made once: from the cache where they are there, else made now and kept at once, while there is time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from condmix.deploy.metadata import condmix_version
from condmix.deploy.tune.cache import TuneCache, cache_key
from condmix.deploy.tune.measuring import Machine, Measuring, settings_facts
from condmix.exporters.tune.measured import TimedRun
from condmix.runtime.bench.settings import BenchSettings

Files = Callable[[], Mapping[str, bytes]]


class Remembered:
    """The measurements of one tuning. reused: how many came from the cache."""

    def __init__(
        self,
        measuring: Measuring,
        cache: TuneCache,
        machine: Machine,
        common: Mapping[str, object],
        *,
        seconds: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """common: what all of them depend on. seconds: of time that there is from now on."""
        self._measuring, self._cache, self._machine = measuring, cache, machine
        self._common = dict(common)
        self._allowed, self._now = seconds, now
        self._started = now()
        self.reused = 0

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return self._now() - self._started

    def run(
        self,
        signature: str,
        names: Sequence[str],
        files: Files,
        settings: BenchSettings,
        *,
        share: float | None,
    ) -> TimedRun | None:
        """The run of the files against the first; None when that share of the time is over (None: in any case).

        signature, names: which graph, and which forms of it. Raises what measuring or making the files raises.
        """
        key = cache_key(
            {
                "condmix": condmix_version(),
                "signature": signature,
                "candidates": list(names),
                "settings": settings_facts(settings),
                "machine": self._machine.facts(),
                **self._measuring.facts(),
                **self._common,
            }
        )
        found = self._cache.get(key)
        if found is not None:
            self.reused += 1
            return found
        if share is not None and self.seconds > share * self._allowed:
            return None
        run = self._measuring.run(files(), settings)
        self._cache.put(key, run)
        return run
