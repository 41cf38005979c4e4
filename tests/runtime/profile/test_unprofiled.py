"""Calls that nobody profiles."""

from __future__ import annotations

import time

import pytest

from condmix.runtime.profile.unprofiled import WARMUP_RUNS, unprofiled_us


class Sleeper:
    """Sleeps for a time, which costs no processor time."""

    def __init__(self) -> None:
        self.calls = 0

    def run(self, feeds):
        self.calls += 1
        time.sleep(0.005)
        return feeds


@pytest.mark.parametrize(("threads", "least_us", "most_us"), [(1, 0, 2500), (2, 5000, 1e6)])
def test_on_one_thread_its_own_time_counts_and_on_more_what_passes(threads, least_us, most_us):
    sleeper = Sleeper()
    found = unprofiled_us(sleeper, {}, threads=threads, runs=3)
    assert least_us <= found <= most_us
    assert sleeper.calls == WARMUP_RUNS + 3
