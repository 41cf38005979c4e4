import json

import numpy as np
import pytest

from condmix.runtime.errors import InvalidSettingError
from condmix.runtime.latency_report import CandidateSamples, Clock, LatencyReport, LatencySettings, Ratio

SETTINGS = LatencySettings(warmup_runs=1, minimum_runs=1, minimum_seconds=0.0, block=4, seed=7)


def candidate(name: str, wall_ns, cpu_ns=None) -> CandidateSamples:
    wall = tuple(int(sample) for sample in wall_ns)
    cpu = wall if cpu_ns is None else tuple(int(sample) for sample in cpu_ns)
    return CandidateSamples(name=name, wall_ns=wall, cpu_ns=cpu, warmup_wall_ns=(9,), warmup_cpu_ns=(8,))


def noisy(name: str, center_ns: float, *, seed: int, rounds: int = 50) -> CandidateSamples:
    """Samples with 2 % of noise on a drift that all candidates share."""
    drift = np.repeat(1 + 0.3 * np.sin(np.arange(rounds) / 5), SETTINGS.block)
    noise = np.random.default_rng(seed).normal(1, 0.02, rounds * SETTINGS.block)
    return candidate(name, center_ns * drift * noise)


def report(*candidates: CandidateSamples, control: str = "a (again)") -> LatencyReport:
    return LatencyReport(settings=SETTINGS, candidates=candidates, control=control)


NOISY = report(
    noisy("a", 1e6, seed=0),
    noisy("half", 5e5, seed=1),
    noisy("same", 1.0005e6, seed=2),
    noisy("a (again)", 1e6, seed=3),
)


def test_a_ratio_is_that_of_the_medians_and_lies_in_its_interval():
    ratio = NOISY.ratio("half", "a", Clock.WALL)
    assert ratio.ratio == NOISY.candidate("half").median_ns(Clock.WALL) / NOISY.candidate("a").median_ns(Clock.WALL)
    assert ratio.low is not None
    assert ratio.high is not None
    assert ratio.low <= ratio.ratio <= ratio.high
    # Rounds are drawn for both together, so the drift of 30 % that they share does not widen the interval.
    assert ratio.high - ratio.low < 0.02
    assert ratio.low < 0.5 < ratio.high


def test_a_difference_is_called_one_only_beyond_the_noise():
    assert NOISY.is_different(NOISY.ratio("half", "a", Clock.WALL))
    assert not NOISY.is_different(NOISY.ratio("same", "a", Clock.WALL))
    floor = NOISY.noise_floor(Clock.WALL)
    assert floor is not None
    assert 0 < floor < 0.05


def test_a_small_but_certain_ratio_below_the_noise_floor_is_no_difference():
    rounds = 50
    exact = report(
        candidate("a", [1000] * rounds * 4),
        candidate("b", [980] * rounds * 4),
        candidate("a (again)", [1050] * rounds * 4),
    )
    assert exact.noise_floor(Clock.WALL) == pytest.approx(0.05)
    ratio = exact.ratio("b", "a", Clock.WALL)
    assert (ratio.low, ratio.high) == (0.98, 0.98)
    assert not exact.is_different(ratio)
    assert exact.is_different(Ratio(numerator="b", denominator="a", clock=Clock.WALL, ratio=0.9, low=0.9, high=0.9))


def test_an_interval_that_holds_1_is_no_difference():
    silent = report(candidate("a", [1000] * 80), candidate("a (again)", [1000] * 80))
    assert silent.noise_floor(Clock.WALL) == 0
    for low, high, different in ((0.9, 1.1, False), (1.01, 1.1, True), (0.9, 0.99, True)):
        middle = (low + high) / 2 + 1e-3
        ratio = Ratio(numerator="b", denominator="a", clock=Clock.WALL, ratio=middle, low=low, high=high)
        assert silent.is_different(ratio) is different


def test_the_same_report_gives_the_same_interval():
    assert NOISY.ratio("half", "a", Clock.CPU) == NOISY.ratio("half", "a", Clock.CPU)


def test_clocks_are_kept_apart():
    both = report(candidate("a", [10] * 80, [4] * 80), candidate("a (again)", [20] * 80, [2] * 80))
    assert both.ratio("a (again)", "a", Clock.WALL).ratio == 2.0
    assert both.ratio("a (again)", "a", Clock.CPU).ratio == 0.5


def test_too_few_rounds_give_no_interval_and_no_difference():
    few = report(candidate("a", [10] * 76), candidate("b", [1] * 76), candidate("a (again)", [10] * 76))
    ratio = few.ratio("b", "a", Clock.WALL)
    assert (few.rounds, ratio.ratio, ratio.low, ratio.high) == (19, 0.1, None, None)
    assert few.noise_floor(Clock.WALL) is None
    assert not few.is_different(ratio)
    assert ratio.sentence() == "b / a = 0.100 (wall time; too few rounds for an interval)"


def test_a_clock_that_stood_still_gives_no_ratio():
    still = report(candidate("a", [10] * 80, [0] * 80), candidate("a (again)", [10] * 80, [0] * 80))
    ratio = still.ratio("a (again)", "a", Clock.CPU)
    assert (ratio.ratio, ratio.low, ratio.high) == (None, None, None)
    assert ratio.sentence() == "a (again) / a: the cpu clock is too coarse"
    # Ticks now and then: the median is there, but some drawings have none.
    ticking = [0, 0, 1, 1] * 9 + [1, 1, 1, 1] + [0, 0, 0, 1] * 10
    mixed = report(candidate("a", [10] * 80, sorted(ticking)[::-1]), candidate("a (again)", [10] * 80))
    assert mixed.ratio("a (again)", "a", Clock.CPU).low is None


def test_p90_only_from_a_hundred_runs():
    assert candidate("a", range(1, 100)).p90_ns(Clock.WALL) is None
    assert candidate("a", range(1, 101)).p90_ns(Clock.WALL) == 90


def test_sentence_of_a_ratio():
    ratio = Ratio(numerator="b", denominator="a", clock=Clock.CPU, ratio=0.69, low=0.67, high=0.7101)
    assert ratio.sentence() == "b / a = 0.690 (0.670 to 0.710, 95%, cpu time)"


def test_the_record_is_strict_json_and_holds_every_sample():
    data = json.loads(json.dumps(NOISY.to_dict(), allow_nan=False))
    assert (data["schema_version"], data["rounds"], data["control"]) == (1, 50, "a (again)")
    assert data["settings"] == {
        "warmup_runs": 1, "minimum_runs": 1, "minimum_seconds": 0.0, "block": 4, "seed": 7,
    }  # fmt: skip
    assert len(data["ratios"]) == 2 * 6
    assert {ratio["clock"] for ratio in data["ratios"]} == {"wall", "cpu"}
    assert set(data["noise_floor"]) == {"wall", "cpu"}
    for record, kept in zip(data["candidates"], NOISY.candidates, strict=True):
        assert tuple(record["wall_ns"]) == kept.wall_ns
        assert tuple(record["cpu_ns"]) == kept.cpu_ns
        assert (record["warmup_wall_ns"], record["warmup_cpu_ns"]) == ([9], [8])
        assert record["wall"]["maximum_ns"] == max(kept.wall_ns)
        assert record["wall"]["minimum_ns"] == min(kept.wall_ns)
        assert record["runs"] == 200


def test_impossible_settings_name_every_field():
    with pytest.raises(InvalidSettingError) as caught:
        LatencySettings(warmup_runs=-1, minimum_runs=0, minimum_seconds=float("nan"), block=0, seed=-2)
    assert caught.value.problems == (
        "warmup_runs must be at least 0, found -1",
        "minimum_runs must be at least 1, found 0",
        "block must be at least 1, found 0",
        "seed must be at least 0, found -2",
        "minimum_seconds must be finite and at least 0, found nan",
    )


def test_reports_that_do_not_fit_together_are_refused():
    with pytest.raises(InvalidSettingError) as caught:
        report(candidate("a", [1, 2, 3]), candidate("a", [1, 2, 3], [1]))
    assert caught.value.problems == (
        "candidates have one name twice: ['a', 'a']",
        "control 'a (again)' must be a later candidate than the first of ['a', 'a']",
        "runs must be a multiple of block = 4, found 3",
        "'a' must have 3 samples, found 3 wall, 1 cpu",
    )
    with pytest.raises(InvalidSettingError, match="runs must be a multiple of block = 4, found 0"):
        report()


def test_an_unknown_candidate_is_refused():
    with pytest.raises(
        InvalidSettingError, match="no candidate is named 'b', there are 'a', 'half', 'same', 'a \\(again"
    ):
        NOISY.ratio("b", "a", Clock.WALL)
