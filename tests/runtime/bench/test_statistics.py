import numpy as np
import pytest

from condmix.runtime.bench.samples import Samples
from condmix.runtime.bench.statistics import blocks, compare_blocks, is_outlier, percentile_ns, summarize
from condmix.runtime.errors import InvalidSettingError
from tests.runtime.bench.reports import noisy_wall_ns, samples_of


@pytest.mark.parametrize(("percent", "least"), [(90, 100), (95, 200), (99, 1000)])
def test_a_percentile_needs_its_count(percent: int, least: int):
    wall_ns = np.arange(1, least + 1)
    assert percentile_ns(wall_ns, percent) == least * percent // 100
    assert percentile_ns(wall_ns[:-1], percent) is None


def test_other_percentiles_are_not_offered():
    with pytest.raises(InvalidSettingError, match="percent must be one of 90, 95, 99, found 50"):
        percentile_ns(np.arange(10), 50)


def test_outliers_are_marked_and_kept():
    wall_ns = np.concatenate([np.arange(1000, 1100), [2000, 10]])
    assert np.flatnonzero(is_outlier(wall_ns)).tolist() == [100, 101]
    summary = summarize(samples_of(wall_ns[:100]), rounds=20, block=5, seed=0)
    assert summary.outliers == 0
    summary = summarize(samples_of(np.append(wall_ns[:-2], [5000] * 5)), rounds=21, block=5, seed=0)
    assert (summary.runs, summary.outliers, summary.maximum_ns) == (105, 5, 5000)


def test_turns_that_are_not_whole_are_in_the_figures_and_in_no_ratio():
    samples = samples_of(noisy_wall_ns(1e6, seed=0, rounds=21)[:-2])
    assert list(blocks(samples, rounds=20, block=5)) == list(range(20))
    assert list(blocks(samples, rounds=21, block=5)) == list(range(20))
    assert summarize(samples, rounds=20, block=5, seed=0).runs == 103


def test_a_ratio_is_over_the_rounds_that_both_have():
    above = {number: np.full(5, 30) for number in range(30)}
    below = {number: np.full(5, 10 if number >= 5 else 99) for number in range(5, 40)}
    ratio = compare_blocks(above, below, numerator="a", denominator="b", seed=0)
    assert (ratio.ratio, ratio.low, ratio.high) == (3.0, 3.0, 3.0)
    nothing = compare_blocks(above, {}, numerator="a", denominator="b", seed=0)
    assert nothing.ratio is None
    assert nothing.sentence() == "a / b: no round in common"
    few = compare_blocks(above, {0: np.full(5, 10)}, numerator="a", denominator="b", seed=0)
    assert few.sentence() == "a / b = 3.000 (too few rounds for an interval)"


def test_nothing_is_said_of_no_samples():
    assert summarize(Samples(), rounds=0, block=5, seed=0) is None
    assert blocks(Samples(), rounds=0, block=5) == {}
