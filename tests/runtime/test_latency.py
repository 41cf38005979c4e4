from types import SimpleNamespace

import numpy as np
import pytest

from condmix.runtime import latency
from condmix.runtime.errors import InvalidSettingError
from condmix.runtime.latency import measure
from condmix.runtime.latency_report import Clock, LatencySettings


class FakeClocks:
    """Time that passes only when a candidate says so."""

    def __init__(self) -> None:
        self.wall_ns = 0
        self.cpu_ns = 0
        self.calls: list[str] = []

    def candidate(self, name: str, wall_ns: int, cpu_ns: int):
        def run() -> None:
            self.calls.append(name)
            self.wall_ns += wall_ns
            self.cpu_ns += cpu_ns

        return run


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> FakeClocks:
    fake = FakeClocks()
    module = SimpleNamespace(perf_counter_ns=lambda: fake.wall_ns, thread_time_ns=lambda: fake.cpu_ns)
    monkeypatch.setattr(latency, "time", module)
    return fake


def settings(**changes: float) -> LatencySettings:
    values = {"warmup_runs": 3, "minimum_runs": 10, "minimum_seconds": 0.0, "block": 2, "seed": 0}
    return LatencySettings(**{**values, **changes})


def test_both_clocks_are_read_around_every_run(clocks: FakeClocks):
    report = measure({"a": clocks.candidate("a", 100, 60), "b": clocks.candidate("b", 50, 90)}, settings=settings())
    first, second, control = report.candidates
    assert [one.name for one in report.candidates] == ["a", "b", "a (again)"]
    assert first.wall_ns == control.wall_ns == (100,) * 10
    assert first.cpu_ns == control.cpu_ns == (60,) * 10
    assert (second.wall_ns, second.cpu_ns) == ((50,) * 10, (90,) * 10)
    assert (second.warmup_wall_ns, second.warmup_cpu_ns) == ((50,) * 3, (90,) * 3)
    assert report.control == "a (again)"


def test_every_call_is_on_record(clocks: FakeClocks):
    report = measure({"a": clocks.candidate("a", 1, 1), "b": clocks.candidate("b", 1, 1)}, settings=settings())
    recorded = sum(len(one.wall_ns) + len(one.warmup_wall_ns) for one in report.candidates)
    assert recorded == len(clocks.calls) == 3 * 13


def test_samples_keep_their_order_and_the_slow_ones(clocks: FakeClocks):
    durations = iter(range(1, 1000))

    def run() -> None:
        clocks.wall_ns += next(durations) ** 3

    report = measure({"a": run}, settings=settings(warmup_runs=0))
    merged = sorted((*report.candidates[0].wall_ns, *report.candidates[1].wall_ns))
    assert merged == [step**3 for step in range(1, 21)]
    assert all(list(one.wall_ns) == sorted(one.wall_ns) for one in report.candidates)


def test_candidates_are_interleaved_in_shuffled_rounds(clocks: FakeClocks):
    names = ("a", "b", "c")
    measure(
        {name: clocks.candidate(name, 1, 1) for name in names},
        settings=settings(warmup_runs=0, minimum_runs=60, block=2),
    )
    rounds = np.array(clocks.calls).reshape(30, 4, 2)
    assert (rounds[:, :, 0] == rounds[:, :, 1]).all()  # blocks of two
    assert all(sorted(one) == ["a", "a", "b", "c"] for one in rounds[:, :, 0].tolist())
    orders = {tuple(one) for one in rounds[:, :, 0].tolist()}
    assert len(orders) > 5
    assert {order[0] for order in orders} == set(names)


def test_the_seed_decides_the_order(clocks: FakeClocks):
    def order(seed: int) -> list[str]:
        clocks.calls.clear()
        candidates = {name: clocks.candidate(name, 1, 1) for name in "abcd"}
        measure(candidates, settings=settings(minimum_runs=40, seed=seed))
        return list(clocks.calls)

    assert order(1) == order(1)
    assert order(1) != order(2)


@pytest.mark.parametrize(
    ("minimum_runs", "minimum_seconds", "runs"), [(10, 0.0, 10), (10, 0.05, 50), (7, 0.0, 8), (80, 0.05, 80)]
)
def test_it_stops_when_both_minima_are_met(clocks: FakeClocks, minimum_runs: int, minimum_seconds: float, runs: int):
    candidates = {
        "slow": clocks.candidate("slow", 5_000_000, 1),
        "fast": clocks.candidate("fast", 1_000_000, 1),
    }
    report = measure(candidates, settings=settings(minimum_runs=minimum_runs, minimum_seconds=minimum_seconds))
    assert {len(one.wall_ns) for one in report.candidates} == {runs}


def test_measurements_without_meaning_are_refused():
    with pytest.raises(InvalidSettingError, match="candidates is empty: nothing to measure"):
        measure({}, settings=settings())
    with pytest.raises(InvalidSettingError, match=r"the name 'a \(again\)' is kept for the control of 'a'"):
        measure({"a": lambda: None, "a (again)": lambda: None}, settings=settings())


def test_what_a_candidate_raises_passes_through():
    def broken() -> None:
        msg = "no such input"
        raise KeyError(msg)

    with pytest.raises(KeyError, match="no such input"):
        measure({"a": broken}, settings=settings())


def test_real_clocks_see_four_times_the_work():
    matrix = np.random.default_rng(0).standard_normal((64, 64))

    def work(times: int):
        def run() -> None:
            for _ in range(times):
                np.sort(matrix, axis=1)

        return run

    report = measure({"four": work(4), "one": work(1)}, settings=settings(minimum_runs=120, block=2))
    for clock in Clock:
        ratio = report.ratio("one", "four", clock)
        assert ratio.ratio is not None
        assert 0.15 < ratio.ratio < 0.5
        assert report.candidate("one").median_ns(clock) > 0


def test_nothing_is_printed(clocks: FakeClocks, capfd: pytest.CaptureFixture[str]):
    measure({"a": clocks.candidate("a", 1, 1)}, settings=settings())
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")
