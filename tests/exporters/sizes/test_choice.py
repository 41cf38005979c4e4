"""The sizes of a network: what is captured tells parities and axes apart, what is held out was never captured."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.errors import NotExportableError
from condmix.exporters.sizes.choice import STEPS, FreeSize, Sides, captured_sides, choose_sizes, held_out_sides

SIDES = st.tuples(st.integers(1, 600), st.integers(1, 600))


@given(SIDES)
def test_every_axis_has_both_parities_at_every_stride_of_two(base: Sides) -> None:
    captured = captured_sides(base, 1)
    for lengths in zip(*captured, strict=True):
        for level in range(5):
            assert {-(-length // 2**level) % 2 for length in lengths} == {0, 1}


@given(SIDES, st.sampled_from(STEPS))
def test_sizes_are_whole_steps_away_and_different(base: Sides, step: int) -> None:
    captured, held_out = captured_sides(base, step), held_out_sides(base, step)
    assert captured[0] == base
    assert len(set(captured)) == 3
    assert len(held_out) >= 2
    assert base not in held_out
    for sides in (*captured, *held_out):
        assert min(sides) > 0
        if step > 1:
            assert [(side - own) % step for side, own in zip(sides, base, strict=True) if side > 1] in ([0, 0], [0], [])


def test_a_network_for_any_size_is_proven_at_odd_and_even_ones() -> None:
    found = choose_sizes((24, 24), lambda _sides: None)
    assert found == FreeSize(
        step=1, captured=((24, 24), (41, 92), (61, 73)), held_out=((17, 19), (30, 21), (23, 30)), not_run=()
    )
    assert found.proven == (*found.captured, *found.held_out)
    assert found.sentence() == "any height and width"
    assert found.to_dict()["captured"] == ["24x24", "41x92", "61x73"]


@pytest.mark.parametrize(
    ("base", "words"), [((64, 96), "that are multiples of 8"), ((20, 20), "from 20x20 by multiples")]
)
def test_multiples_are_found_out(base: Sides, words: str) -> None:
    def runs(sides: Sides) -> str | None:
        fits = all((side - own) % 8 == 0 for side, own in zip(sides, base, strict=True))
        return None if fits else "sizes do not match"

    found = choose_sizes(base, runs)
    assert found.step == 8
    assert words in found.sentence()
    assert not set(found.held_out) & set(found.captured)


def test_what_pytorch_does_not_take_is_told() -> None:
    found = choose_sizes((24, 24), lambda sides: "too small" if min(sides) < 20 else None)
    assert found.not_run == ("17x19: too small",)
    assert found.held_out == ((30, 21), (23, 30))


def test_one_size_alone_is_refused_with_what_the_network_says() -> None:
    with pytest.raises(NotExportableError) as caught:
        choose_sizes((24, 24), lambda sides: None if sides == (24, 24) else f"no {sides[0]}")
    assert caught.value.problems == ("at 41x92: no 41", "at 42x94: no 42")
    assert "no other height and width than 24x24; leave --dynamic-size out" in str(caught.value)
