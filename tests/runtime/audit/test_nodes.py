"""Who reads and writes what, movement looked through."""

from __future__ import annotations

from condmix.runtime.audit.nodes import Wiring
from condmix.runtime.audit.vocabulary import Reason
from tests.runtime.audit.graphs import audited


def test_neighbours_are_found_through_any_number_of_movements():
    wiring = Wiring(
        [
            audited("float x > a"),
            audited("move a > b"),
            audited("move b > c"),
            audited("float c > d"),
            audited("q a > e"),
        ]
    )
    assert wiring.users(0) == {3: True, 4: False}
    assert wiring.sources(3) == {0: True}
    assert wiring.sources(4) == {0: False}
    assert wiring.sources(0) == {}


def test_a_direct_way_beside_a_moved_one_counts_as_direct():
    wiring = Wiring([audited("float x > a"), audited("move a > b"), audited("float a b > c")])
    assert wiring.users(0) == {2: False}
    assert wiring.sources(2) == {0: False}


def test_a_node_that_reads_a_value_twice_is_one_user():
    wiring = Wiring([audited("float x > a"), audited("float a a > b")])
    assert wiring.readers["a"] == [1]


def test_plain_data():
    node = audited("float x > a", reason=Reason.NOT_FUSED, multiply_adds=3, time_us=1.5, detail="why", delegated=True)
    assert node.to_dict() == {
        "operator": "float",
        "where": "a",
        "arithmetic": "float",
        "multiply_adds": 3,
        "time_us": 1.5,
        "delegated": True,
        "role": None,
        "reason": "quantised in the file, not fused by the runtime",
        "detail": "why",
    }
