"""Whether latency depends on the image: an effect that is there is found with its size, one that is not is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from condmix.runtime.bench.input_dependence import dependence_of, input_dependence
from condmix.runtime.bench.samples import Samples
from tests.runtime.bench.reports import make_report, samples_of


def runs(
    *, effect: float = 0.0, inputs: int = 8, count: int = 400, seed: int = 0, drift: float = 0.0, first: float = 0.0
) -> Samples:
    """1 ms, 1 % of noise; input 3 takes `effect` longer, the first run of a turn `first`, the last of all `drift`."""
    number = np.arange(count)
    wall_ns = 1e6 * np.random.default_rng(seed).normal(1, 0.01, count)
    wall_ns *= 1 + effect * (number % inputs == 3)
    wall_ns *= (1 + drift * number / count) * (1 + first * (number % 5 == 0))
    samples = samples_of(wall_ns.astype(np.int64))
    return replace(samples, input=tuple((number % inputs).tolist()))


def test_an_effect_is_found_with_its_size() -> None:
    found = dependence_of(runs(effect=0.04), seed=0)
    assert found is not None
    assert found.depends is True
    assert found.spread == pytest.approx(0.04, abs=0.012)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.04 < found.high
    assert "depends on the image: input 3 takes " in found.sentence
    assert [(one.input, one.runs) for one in found.inputs] == [(number, 50) for number in range(8)]
    slowest = max(found.inputs, key=lambda one: one.median_ns)
    assert slowest.input == 3
    assert slowest.median_ns == pytest.approx(1.04e6, rel=0.01)


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_no_effect(seed: int) -> None:
    found = dependence_of(runs(seed=seed), seed=0)
    assert found is not None
    assert found.depends is False
    assert found.sentence.startswith("no measurable dependence on the image: the medians of 8 inputs lie within ")


def test_a_drift_and_a_slow_first_run_are_no_effect_and_hide_none() -> None:
    """Five runs a turn and eight inputs: each input is first equally often."""
    still = dependence_of(runs(drift=0.5, first=0.3), seed=0)
    assert still is not None
    assert still.depends is False
    moving = dependence_of(runs(drift=0.5, first=0.3, effect=0.04), seed=0)
    assert moving is not None
    assert moving.depends is True
    assert moving.spread == pytest.approx(0.04, abs=0.015)


def test_an_input_that_always_has_the_same_place_cannot_be_told_from_it() -> None:
    found = dependence_of(runs(inputs=5, first=0.3), seed=0)
    assert found is not None
    assert found.depends is None
    assert found.spread is None
    assert "each input was only ever fed at some places of a turn" in found.sentence
    assert max(one.median_ns for one in found.inputs) > 1.2e6


def test_one_run_a_turn_works_too() -> None:
    samples = replace(runs(effect=0.04), round=tuple(range(400)))
    found = dependence_of(replace(samples, opening=tuple(number % 3 for number in range(400))), seed=0)
    assert found is not None
    assert found.depends is True
    # Here inputs 0, 2, .. only ever ran in one process, and 1, 3, .. in the other.
    found = dependence_of(replace(samples, opening=tuple(number % 2 for number in range(400))), seed=0)
    assert found is not None
    assert found.depends is None
    assert "only ever fed in some processes" in found.sentence


def test_too_few_runs_and_a_single_input() -> None:
    found = dependence_of(runs(count=40), seed=0)
    assert found is not None
    assert found.depends is None
    assert "not to be told: input 0 ran 5 times, 10 runs of each are needed" in found.sentence
    assert dependence_of(runs(inputs=1), seed=0) is None
    assert dependence_of(Samples(), seed=0) is None


def test_a_difference_below_the_noise_floor_is_called_none() -> None:
    found = dependence_of(runs(effect=0.04), seed=0, floor=0.1)
    assert found is not None
    assert found.depends is False
    assert "but below what is told from noise here (10.0%)" in found.sentence


def test_the_same_runs_give_the_same_answer() -> None:
    assert dependence_of(runs(effect=0.01), seed=4) == dependence_of(runs(effect=0.01), seed=4)


def test_the_section_has_every_subject_with_several_inputs() -> None:
    report = make_report()
    alone = replace(report.subjects[1].samples, input=(0,) * len(report.subjects[1].samples))
    subjects = (report.subjects[0], replace(report.subjects[1], samples=alone), report.subjects[2])
    section = input_dependence(replace(report, subjects=subjects))
    assert list(section) == ["a"]
    one = section["a"]
    assert isinstance(one, dict)
    assert list(one) == ["inputs", "spread", "low", "high", "chance", "depends", "sentence"]
    assert one["inputs"][0] == {"input": 0, "median_ns": pytest.approx(1e6, rel=0.01), "runs": 25}
