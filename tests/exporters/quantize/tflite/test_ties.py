"""Groups grow together, whatever the order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.quantize.tflite.ties import Ties

PAIRS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=20)


def test_nothing_is_tied_at_first() -> None:
    ties: Ties[str] = Ties()
    assert [ties.group(item) for item in "abc"] == ["a", "b", "c"]


@given(PAIRS)
def test_two_items_share_a_group_just_when_a_chain_of_ties_joins_them(pairs: list[tuple[int, int]]) -> None:
    ties: Ties[int] = Ties()
    for left, right in pairs:
        ties.tie(left, right)
    reach = {item: {item} for item in range(10)}
    for _ in range(10):
        for left, right in pairs:
            joined = reach[left] | reach[right]
            for item in joined:
                reach[item] = reach[item] | joined
    for left in range(10):
        for right in range(10):
            assert (ties.group(left) == ties.group(right)) == (right in reach[left])
