"""Round trips over the boundary."""

from __future__ import annotations

import pytest

from condmix.runtime.audit.round_trips import round_trips
from condmix.runtime.audit.vocabulary import RoundTrip
from tests.runtime.audit.graphs import audited


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("one", "one", RoundTrip.NEEDLESS),
        ("one", "two", RoundTrip.RESCALED),
        (None, None, RoundTrip.RESCALED),  # computed scales: nothing says that they are equal
    ],
)
def test_a_dequantisation_straight_into_a_quantisation(before: str | None, after: str | None, kind: RoundTrip):
    nodes = [audited("int x > a"), audited("dq a > b", scale=before), audited("q b > c", scale=after)]
    assert round_trips(nodes) == {kind: 1}


def test_dequantised_only_to_be_moved():
    nodes = [audited("dq x > a", scale="one"), audited("move a > b"), audited("q b > c", scale="one")]
    assert round_trips(nodes) == {RoundTrip.AROUND_MOVEMENT: 1}


def test_each_quantisation_counts():
    nodes = [audited("dq x > a", scale="one"), audited("q a > b", scale="one"), audited("q a > c", scale="two")]
    assert round_trips(nodes) == {RoundTrip.NEEDLESS: 1, RoundTrip.RESCALED: 1}


def test_from_one_scale_to_another_in_one_operator():
    assert round_trips([audited("rq x > a")]) == {RoundTrip.RESCALED: 1}


def test_between_two_float_operators():
    pair = [audited("float x > a"), audited("q a > b"), audited("dq b > c"), audited("float c > d")]
    assert round_trips(pair) == {RoundTrip.BETWEEN_FLOAT: 1}


@pytest.mark.parametrize(
    "nodes",
    [
        # A constant is dequantised: that is no round trip.
        [audited("dq > a"), audited("q a > b")],
        # Integers compute on one side.
        [audited("int x > a"), audited("dq a > b"), audited("float b > c"), audited("q c > d"), audited("int d > e")],
        # The quantised value is the input or the output of the graph.
        [audited("q x > a"), audited("dq a > b"), audited("float b > c")],
        [audited("float x > a"), audited("q a > b"), audited("dq b > c")],
        # An integer operator reads it as well.
        [audited("float x > a"), audited("q a > b"), audited("dq b > c"), audited("float c > d"), audited("int b > e")],
    ],
)
def test_what_is_no_round_trip(nodes: list):
    assert round_trips(nodes) == {}
