"""Ratios within rounds: what slows the machine cancels, and the interval knows that processes of one file differ."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from condmix.deploy.tune.paired import median_ms, paired_ratio
from condmix.runtime.bench.samples import Samples
from tests.runtime.bench.reports import make_report, noisy_wall_ns, samples_of

ROUNDS, BLOCK = 40, 5


def test_the_ratio_is_found_with_an_interval_around_it() -> None:
    found = paired_ratio(make_report(), "half", "a")
    assert found is not None
    assert found.ratio == pytest.approx(0.5, abs=0.01)
    assert found.low is not None
    assert found.high is not None
    assert 0.48 < found.low <= found.ratio <= found.high < 0.52
    assert found == paired_ratio(make_report(), "half", "a")


def test_a_file_against_itself_gives_the_noise_floor() -> None:
    found = paired_ratio(make_report(), "a (again)", "a")
    assert found is not None
    assert found.reach is not None
    assert 0 < found.reach < 0.02


def test_what_slows_the_machine_slows_both() -> None:
    slow = np.repeat(np.linspace(1, 3, ROUNDS), BLOCK)
    walls = {
        "a": (noisy_wall_ns(1e6, seed=0) * slow).astype(np.int64),
        "b": (noisy_wall_ns(9e5, seed=1) * slow).astype(np.int64),
        "a (again)": (noisy_wall_ns(1e6, seed=2) * slow).astype(np.int64),
    }
    found = paired_ratio(make_report(walls), "b", "a")
    assert found is not None
    assert found.high is not None
    assert found.low is not None
    assert found.ratio == pytest.approx(0.9, abs=0.01)
    assert found.high - found.low < 0.03


def test_processes_that_differ_widen_the_interval() -> None:
    """Every second round is of another process, in which the file lies badly."""
    unlucky = np.repeat(np.where(np.arange(ROUNDS) % 2, 1.1, 1.0), BLOCK)
    walls = {name: noisy_wall_ns(1e6, seed=seed) for seed, name in enumerate(("a", "b", "a (again)"))}
    walls["b"] = (walls["b"] * unlucky).astype(np.int64)
    found = paired_ratio(make_report(walls), "b", "a")
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low < 1.01
    assert found.high > 1.09


def test_one_thread_is_timed_by_its_own_clock_and_several_by_the_walls() -> None:
    report = make_report()
    half = report.subjects[1]
    waiting = replace(half, samples=samples_of(half.samples.wall_array(), cpu_share=0.5))
    alone = replace(report, subjects=(report.subjects[0], waiting, report.subjects[2]))
    found = paired_ratio(alone, "half", "a")
    assert found is not None
    assert found.ratio == pytest.approx(0.25, abs=0.01)
    assert median_ms(alone, "half") == pytest.approx(0.25, abs=0.01)
    together = tuple(replace(one, subject=replace(one.subject, threads=2)) for one in alone.subjects)
    found = paired_ratio(replace(alone, subjects=together), "half", "a")
    assert found is not None
    assert found.ratio == pytest.approx(0.5, abs=0.01)


def test_too_few_rounds_have_no_interval_and_none_have_no_ratio() -> None:
    walls = {name: noisy_wall_ns(1e6, seed=0, rounds=4) for name in ("a", "b", "a (again)")}
    found = paired_ratio(make_report(walls), "b", "a")
    assert found is not None
    assert (found.ratio, found.low, found.high, found.reach) == (1.0, None, None, None)
    report = make_report()
    lost = replace(report.subjects[1], samples=Samples())
    without = replace(report, subjects=(report.subjects[0], lost, report.subjects[2]))
    assert paired_ratio(without, "half", "a") is None
    assert median_ms(without, "half") is None


def test_a_clock_that_saw_nothing_pass_gives_no_ratio() -> None:
    report = make_report()
    nothing = replace(report.subjects[0], samples=samples_of(np.zeros(ROUNDS * BLOCK, np.int64)))
    assert paired_ratio(replace(report, subjects=(nothing, *report.subjects[1:])), "half", "a") is None
