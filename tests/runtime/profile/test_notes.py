"""Sentences with their figures."""

from __future__ import annotations

from condmix.runtime.profile import notes
from condmix.runtime.profile.step import Family
from tests.runtime.profile.nets import step


def test_the_sum_is_set_against_a_call_that_is_not_profiled():
    assert notes.against_unprofiled(110.0, 100.0, 1) == (
        "a call that is not profiled takes 100 us of its own processor time; the operators sum up to 110 us, +10.0 %"
    )
    assert "as it passes" in notes.against_unprofiled(90.0, 100.0, 2)


def test_attribution_tells_names_neighbours_and_nothing_apart():
    told = [
        step("A > a", module="m", time_us=70),
        step("B > b", family=Family.LAYOUT, time_us=20),
        step("C > c", time_us=10),
    ]
    final = [told[0], step("B > b", family=Family.LAYOUT, module="m", time_us=20), told[2]]
    assert notes.attribution(told, final, by_module=True) == [
        "20.0 % of the time is in operators that the engine put in to move values; "
        "they count with the module whose values they move",
        "10.0 % of the time could be given no module",
    ]
    assert notes.attribution(told[:1], told[:1], by_module=False) == [
        "the file tells no PyTorch modules: the time is listed by the names of its nodes",
        "0.0 % of the time could be given no module",
    ]


def test_prefixes_state_what_is_missing_from_the_sum():
    found = notes.prefixes(100.0, 95.0, ["a", ""])
    assert "the whole takes 100 us, the modules shown sum up to 95 us, -5.0 %" in found
    assert found[-1] == "below the noise, and shown as 0: a, (no module)"
    assert len(notes.prefixes(100.0, 95.0, [])) == 2


def test_counts_stand_in_the_sentences():
    assert notes.uncounted(0) == []
    assert notes.uncounted(2) == ["the multiply-adds of 2 operators are not counted"]
    assert "7 of 9; 1 more move values for one of these, 1 have no partner" in notes.alignment(7, 1, 1)
    assert "up to 12 us are lost in all" in notes.sum_of_faster_halves(12)
