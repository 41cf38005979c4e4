"""Seconds a stage and peak memory."""

from __future__ import annotations

import pytest

from condmix.deploy import costs
from condmix.deploy.costs import StageClock, peak_memory_bytes


def test_time_goes_to_the_stage_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 1.0, 3.0, 6.0, 6.5, 100.0])
    monkeypatch.setattr(costs.time, "perf_counter", lambda: next(now))
    said: list[str] = []
    clock = StageClock(said.append)
    clock("load")
    clock("build")
    clock("load")
    assert clock.stop() == {"load": 2.5, "build": 3.0}
    assert said == ["load", "build", "load"]
    assert clock.stop() == {"load": 2.5, "build": 3.0}


def test_peak_memory_counts_bytes() -> None:
    peak = peak_memory_bytes()
    assert peak is not None
    # This process has torch in it; a mistake in the unit is a factor of 1024.
    assert 50e6 < peak < 50e9
