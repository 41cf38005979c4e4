"""From blocks to whole networks: what is proposed, which single changes are tried, what they come to together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.records import LayerForm
from condmix.exporters.tune.assembly import (
    MOST_RIVALS,
    MOST_SWAPS,
    Assembly,
    Change,
    SiteClass,
    changed,
    combined,
    contenders,
    doubtful,
    predicted,
    proposals,
    rivals,
    swaps,
)
from condmix.exporters.tune.candidates import Candidate
from condmix.exporters.tune.measured import Timed, TimedRun
from tests.exporters.tune.test_measured import timed

FORMS = ("hoisted", "merged", "parallel", "hoisted@16")


def site_class(
    name: str, ratios: Mapping[str, float], *, layers: Sequence[tuple[str, ...]] = (("a",),), spread: float = 0.01
) -> SiteClass:
    """A class whose first form is the written rule's."""
    first, *others = ratios
    run = TimedRun(
        candidates=(
            Timed(name=first, ratio=1.0, low=None, high=None),
            *(timed(other, ratios[other], spread) for other in others),
        ),
        noise_floor=0.02,
        median_ms=1.0,
    )
    candidates = tuple(Candidate(forms=tuple(form.split(" + "))) for form in ratios)
    return SiteClass(signature=name, description=name, layers=tuple(layers), candidates=candidates, run=run)


def chosen(one: Assembly) -> dict[str, str]:
    return {signature: candidate.name for signature, candidate in one.chosen.items()}


ONE = site_class("one", {"hoisted": 1.0, "merged": 0.8, "parallel": 1.4}, layers=[("a",), ("b",)])
TWO = site_class("two", {"merged": 1.0, "hoisted": 0.99, "parallel": 1.3}, layers=[("c",)])


def test_proposals_begin_with_the_rule_and_are_all_different() -> None:
    made = proposals((ONE, TWO))
    assert [(one.name, chosen(one)) for one in made] == [
        ("table", {"one": "hoisted", "two": "merged"}),
        ("sure", {"one": "merged", "two": "merged"}),
        ("bold", {"one": "merged", "two": "hoisted"}),
        ("all hoisted", {"one": "hoisted", "two": "hoisted"}),
    ]
    # Two blocks of a millisecond and one; `parallel` throughout would take half as long again.
    assert [round(predicted((ONE, TWO), one), 2) for one in made] == [3.0, 2.6, 2.59, 2.99]


def test_a_network_that_the_rule_already_made_is_still_called_the_rules() -> None:
    only = site_class("one", {"hoisted": 1.0, "merged": 1.01})
    assert [one.name for one in proposals((only,))] == ["table", "all merged"]


@given(ratios=st.lists(st.lists(st.floats(0.3, 2.0), min_size=3, max_size=3), min_size=1, max_size=5))
def test_every_network_has_one_measured_form_for_every_class(ratios: list[list[float]]) -> None:
    classes = tuple(
        site_class(str(place), dict(zip(FORMS, [1.0, *row], strict=True))) for place, row in enumerate(ratios)
    )
    made = proposals(classes)
    assert made[0].name == "table"
    assert len({one.key for one in made}) == len(made)
    for one in (*made, *swaps(classes, made[-1], 0.1)):
        assert set(one.chosen) == {item.signature for item in classes}
        assert all(one.chosen[item.signature] in item.candidates for item in classes)


def test_an_unmeasured_class_keeps_the_rule() -> None:
    one = SiteClass(
        signature="one", description="", layers=(("a",),), candidates=TWO.candidates, run=None, skipped="time"
    )
    assert (one.sure(), one.bold(), one.timed(one.table)) == (one.table, one.table, None)
    assert rivals(one, one.table) == ()


def test_rivals_are_those_that_the_block_cannot_tell_apart() -> None:
    ratios = {"hoisted": 1.0, "merged": 1.01, "parallel": 1.5, "hoisted@16": 0.97}
    assert [one.name for one in rivals(site_class("one", ratios), Candidate(forms=("hoisted",)))] == [
        "hoisted@16",
        "merged",
    ]
    assert rivals(site_class("one", {"hoisted": 1.0, "merged": 0.8}), Candidate(forms=("merged",))) == ()


def test_no_more_rivals_than_there_is_time_for() -> None:
    ratios = {form: 1.0 for form in FORMS}
    assert len(rivals(site_class("one", ratios), Candidate(forms=("hoisted",)))) == MOST_RIVALS


def test_a_swap_changes_one_class() -> None:
    leader = proposals((ONE, TWO))[1]
    (swap,) = swaps((ONE, TWO), leader, network_ms=3.0)
    assert swap.name == "c: hoisted"
    assert swap.differences(leader) == ("two",)


def test_swaps_that_can_win_nothing_visible_are_not_tried() -> None:
    leader = proposals((ONE, TWO))[1]
    # Two percent of one millisecond.
    assert len(swaps((ONE, TWO), leader, network_ms=3.9)) == 1
    assert swaps((ONE, TWO), leader, network_ms=4.1) == ()


def test_the_swaps_that_can_win_most_come_first() -> None:
    weak = site_class("weak", {"merged": 1.0, "hoisted": 1.0})
    strong = site_class("strong", {"merged": 1.0, "hoisted": 1.0}, spread=0.3)
    leader = proposals((weak, strong))[0]
    assert [swap.differences(leader) for swap in swaps((weak, strong), leader, 0.1)] == [("strong",), ("weak",)]
    many = tuple(site_class(str(place), {"merged": 1.0, "hoisted": 1.0}) for place in range(20))
    assert len(swaps(many, proposals(many)[0], 0.1)) == MOST_SWAPS


def test_contenders_are_the_rule_and_what_may_beat_it() -> None:
    ratios = {"hoisted": 1.0, "merged": 1.2, "parallel": 1.005, "hoisted@16": 0.5, "hoisted@32": 0.9, "hoisted@48": 0.8}
    one = site_class("one", ratios)
    assert [candidate.name for candidate in contenders(one)] == ["hoisted", "hoisted@16", "hoisted@48"]
    slower = site_class("one", {"hoisted": 1.0, "merged": 1.2})
    assert [candidate.name for candidate in contenders(slower)] == ["hoisted"]


def test_a_longer_run_is_for_those_that_may_win_something() -> None:
    clear = site_class("clear", {"hoisted": 1.0, "merged": 1.2})
    little = site_class("little", {"hoisted": 1.0, "merged": 0.9}, spread=0.0)
    much = site_class("much", {"hoisted": 1.0, "merged": 0.9}, layers=[("a",), ("b",), ("c",)])
    nothing = site_class("nothing", {"hoisted": 1.0, "merged": 0.999}, spread=0.0)
    classes = (clear, little, much, nothing, replace(clear, signature="late", run=None))
    assert [one.signature for one in doubtful(classes)] == ["much", "little"]


def test_likely_is_below_one_whatever_the_noise_floor() -> None:
    one = site_class("one", {"hoisted": 1.0, "merged": 0.985, "parallel": 0.98}, spread=0.01)
    assert (one.sure().name, one.likely().name) == ("hoisted", "parallel")
    wide = site_class("one", {"hoisted": 1.0, "merged": 0.9}, spread=0.2)
    assert (wide.likely().name, wide.bold().name) == ("hoisted", "merged")


def test_a_change_counts_beyond_the_noise_only() -> None:
    leader = proposals((ONE, TWO))[1]
    (swap,) = swaps((ONE, TWO), leader, network_ms=1.0)
    first = Timed(name=leader.name, ratio=1.0, low=None, high=None)

    def change(ratio: float) -> Change | None:
        run = TimedRun(candidates=(first, timed(swap.name, ratio)), noise_floor=0.02, median_ms=9.0)
        return changed(swap, leader, run)

    assert change(1.01) is None
    assert change(0.985) is None
    strong = change(0.9)
    assert strong is not None
    assert (strong.signature, strong.candidate.name) == ("two", "hoisted")
    assert strong.words == "0.90 (0.89 to 0.91) of the one with `merged`"


def test_of_two_changes_at_one_class_the_better_counts() -> None:
    leader = proposals((ONE, TWO))[0]
    changes = [
        Change(signature="two", candidate=Candidate(forms=(form,)), ratio=ratio, words="")
        for form, ratio in (("hoisted", 0.9), ("parallel", 0.95))
    ]
    for order in (changes, changes[::-1]):
        assert chosen(combined("both", leader, order)) == {"one": "hoisted", "two": "hoisted"}


def test_forms_name_every_layer_of_every_site() -> None:
    joint = site_class("j", {"grouped_conv + merged": 1.0, "dense + hoisted": 0.5}, layers=[("e", "m"), ("e2", "m2")])
    one = Assembly(name="x", chosen={"j": joint.sure()})
    assert one.forms((joint,), {"j": "measured"}) == tuple(
        LayerForm(layer=layer, form=form, why="measured")
        for layer, form in (("e", "dense"), ("m", "hoisted"), ("e2", "dense"), ("m2", "hoisted"))
    )
