import numpy as np
import pytest

from condmix.runtime.bootstrap import (
    CONFIDENCE,
    MINIMUM_ROUNDS_FOR_INTERVAL,
    RESAMPLES,
    median_interval,
    median_ratio,
    ratio_interval,
)


def rounds_of(center: float, *, seed: int, rounds: int = 40, runs: int = 5) -> np.ndarray:
    return (center * np.random.default_rng(seed).normal(1, 0.02, (rounds, runs))).astype(np.int64)


@pytest.mark.parametrize("runs", [4, 5])
def test_it_is_the_bootstrap_that_copies_the_drawn_rounds(runs: int):
    above, below = rounds_of(2e6, seed=0, runs=runs), rounds_of(1e6, seed=1, runs=runs)
    generator = np.random.default_rng(7)
    ratios = []
    for _ in range(RESAMPLES):
        drawn = generator.integers(0, len(above), size=len(above))
        ratios.append(np.median(above[drawn]) / np.median(below[drawn]))
    expected = np.quantile(ratios, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    np.testing.assert_allclose(ratio_interval(above, below, seed=7), expected, rtol=1e-15)


def test_the_interval_of_a_median_holds_it_and_shrinks_with_more_rounds():
    few, many = (median_interval(rounds_of(1e6, seed=3, rounds=rounds), seed=0) for rounds in (40, 640))
    assert few[0] < 1e6 < few[1]
    assert many[1] - many[0] < 0.5 * (few[1] - few[0])


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    held = 0
    for seed in range(30):
        low, high = median_interval(rounds_of(1e6, seed=seed), seed=0)
        held += low <= 1e6 <= high
    assert 26 <= held <= 30


def test_too_few_rounds_or_a_clock_that_stands_still():
    short = rounds_of(1e6, seed=0, rounds=MINIMUM_ROUNDS_FOR_INTERVAL - 1)
    assert median_interval(short, seed=0) is None
    assert ratio_interval(short, short, seed=0) is None
    assert ratio_interval(short, short, seed=0, minimum_rounds=6) == (1.0, 1.0)
    still = np.zeros((40, 5), np.int64)
    assert median_ratio(still, still) is None
    assert ratio_interval(rounds_of(1e6, seed=0), still, seed=0) is None
