"""What counts as faster, and figures as data."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.errors import TuningDataError
from condmix.exporters.tune.measured import Timed, TimedRun
from condmix.runtime.errors import InvalidRecordError

FIRST = Timed(name="first", ratio=1.0, low=None, high=None)


def timed(name: str, ratio: float, spread: float = 0.01) -> Timed:
    return Timed(name=name, ratio=ratio, low=ratio - spread, high=ratio + spread)


def run(*others: Timed, floor: float | None = 0.02) -> TimedRun:
    return TimedRun(candidates=(FIRST, *others), noise_floor=floor, median_ms=1.5)


LOST = Timed(name="lost", ratio=None, low=None, high=None, failure="the engine refused it")


def test_faster_is_beyond_the_interval_and_the_noise_floor() -> None:
    found = run()
    assert found.is_faster(timed("a", 0.97))
    assert not found.is_faster(timed("a", 0.985))  # within the noise floor
    assert not found.is_faster(timed("a", 0.97, spread=0.04))  # its interval holds 1
    assert not found.is_faster(LOST)
    assert not run(floor=None).is_faster(timed("a", 0.5))
    assert not found.is_faster(Timed(name="a", ratio=0.5, low=None, high=None))


def test_the_fastest_and_the_lowest() -> None:
    found = run(timed("a", 0.9), timed("b", 0.8, spread=0.3), LOST, timed("c", 1.2))
    assert (found.fastest().name, found.lowest().name) == ("a", "b")
    slower = run(timed("a", 0.99), LOST)
    assert (slower.fastest().name, slower.lowest().name) == ("first", "a")


def test_what_is_special_has_to_be_faster_beyond_its_interval() -> None:
    found = run(timed("plain", 0.8), timed("special", 0.795), timed("slow", 1.2))
    assert found.fastest().name == "special"
    assert found.fastest_of(["plain", "slow"], unless=["special"]).name == "plain"
    assert run(timed("plain", 0.8), timed("special", 0.78)).fastest_of(["plain"], unless=["special"]).name == "special"
    assert run(timed("plain", 1.1), timed("special", 0.9)).fastest_of(["plain"], unless=["special"]).name == "special"
    assert run(timed("plain", 1.1), timed("special", 0.99)).fastest_of(["plain"], unless=["special"]).name == "first"


def test_a_first_candidate_that_was_lost_stays() -> None:
    first = Timed(name="first", ratio=None, low=None, high=None, failure="killed")
    found = TimedRun(candidates=(first, LOST), noise_floor=None, median_ms=None)
    assert (found.fastest(), found.lowest()) == (first, first)


@given(
    ratios=st.lists(st.tuples(st.floats(0.2, 3), st.floats(0, 0.5)), max_size=6),
    floor=st.floats(0, 0.3),
)
def test_nothing_slower_than_the_first_ever_wins(ratios: list[tuple[float, float]], floor: float) -> None:
    found = run(*(timed(f"c{place}", ratio, spread) for place, (ratio, spread) in enumerate(ratios)), floor=floor)
    winner = found.fastest()
    assert winner is FIRST or (winner.ratio is not None and winner.ratio < 1 - floor)
    faster = [one.ratio for one in found.candidates[1:] if found.is_faster(one) and one.ratio is not None]
    assert winner.ratio == min(faster, default=1.0)


def test_a_longer_run_of_some_replaces_their_figures() -> None:
    short, longer = run(timed("a", 0.9), timed("b", 1.4)), run(timed("a", 0.95), floor=0.005)
    both = short.updated(longer)
    assert [(one.name, one.ratio) for one in both.candidates] == [("first", 1.0), ("a", 0.95), ("b", 1.4)]
    assert both.noise_floor == 0.005
    assert short.updated(None) is short


def test_words() -> None:
    assert timed("a", 0.824, 0.02).words() == "0.82 (0.80 to 0.84)"
    assert Timed(name="a", ratio=0.5, low=None, high=None).words() == "0.50 (too few rounds for an interval)"
    assert LOST.words() == "the engine refused it"
    assert Timed(name="a", ratio=None, low=None, high=None).words() == "not measured"


def test_a_run_survives_its_record() -> None:
    found = run(timed("a", 0.9), LOST)
    assert TimedRun.from_dict(found.to_dict()) == found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"candidates": []}, "'candidates' is empty"),
        ({"noise_floor": "0.1"}, "'noise_floor' must be float or null, found '0.1'"),
        ({"more": 1}, "unknown name 'more'"),
        ({"candidates": [{"name": "a"}]}, "'ratio' is missing"),
    ],
)
def test_a_damaged_record_is_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidRecordError, match=said):
        TimedRun.from_dict({**run().to_dict(), **change})


def test_what_was_not_measured_is_named() -> None:
    with pytest.raises(TuningDataError, match="'b' was not measured: first, a were"):
        run(timed("a", 0.9)).of("b")
    with pytest.raises(TuningDataError, match="at least one candidate"):
        TimedRun(candidates=(), noise_floor=None, median_ms=None)
