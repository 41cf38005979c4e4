"""Float islands."""

from __future__ import annotations

from condmix.runtime.audit.islands import float_islands
from condmix.runtime.audit.vocabulary import Reason
from tests.runtime.audit.graphs import audited


def test_boundaries_and_integers_part_islands():
    islands = float_islands(
        [
            audited("float x > a", multiply_adds=10),
            audited("q a > b"),
            audited("int b > c", multiply_adds=100),
            audited("dq c > d"),
            audited("float d > e", multiply_adds=30),
            audited("float e > f"),
        ]
    )
    assert [(island.where, island.multiply_adds) for island in islands] == [(("e",), 30), (("a",), 10)]
    assert islands[0].operators == (("float", 2),)


def test_movement_joins_float_on_both_its_sides_and_is_not_in_the_island():
    islands = float_islands([audited("float x > a"), audited("move a > b"), audited("float b > c")])
    assert [(island.where, island.operators) for island in islands] == [(("a", "c"), (("float", 2),))]


def test_two_readers_of_one_dequantised_value_are_two_islands():
    islands = float_islands([audited("dq x > a"), audited("float a > b"), audited("float a > c")])
    assert len(islands) == 2


def test_a_branch_found_later_belongs_to_the_same_island():
    islands = float_islands([audited("float x > a"), audited("float y > b"), audited("float a b > c")])
    assert [island.where for island in islands] == [("a", "b", "c")]


def test_the_reason_is_that_of_the_operator_with_most_multiply_adds():
    small = audited("float x > a", multiply_adds=1, reason=Reason.NOT_QUANTIZED, advice="no")
    large = audited("float a > b", multiply_adds=9, reason=Reason.NOT_FUSED, detail="types", advice="one type")
    (island,) = float_islands([small, large])
    assert (island.reason, island.detail, island.advice) == (Reason.NOT_FUSED, "types", "one type")


def test_times_add_up_and_are_absent_where_none_were_taken():
    (timed,) = float_islands([audited("float x > a", time_us=2.0), audited("float a > b", time_us=3.0)])
    (untimed,) = float_islands([audited("float x > a")])
    assert (timed.time_us, untimed.time_us) == (5.0, None)


def test_no_float_no_islands():
    assert float_islands([audited("q x > a"), audited("int a > b"), audited("move b > c"), audited("other > d")]) == ()


def test_plain_data():
    (island,) = float_islands(
        [audited("float x > a", multiply_adds=4, reason=Reason.NOT_FUSED, detail="d", advice="e")]
    )
    assert island.to_dict() == {
        "where": ["a"],
        "operators": {"float": 1},
        "multiply_adds": 4,
        "time_us": None,
        "reason": "quantised in the file, not fused by the runtime",
        "detail": "d",
        "advice": "e",
    }
