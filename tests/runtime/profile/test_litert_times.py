"""Times of LiteRT given to operators."""

from __future__ import annotations

import pytest

from condmix.runtime.litert_session import DELEGATE_NODE, GraphNode
from condmix.runtime.profile.litert_events import EngineEvents, NoEngineProfileError, Timed
from condmix.runtime.profile.litert_times import assigned


def node(operator: str, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> GraphNode:
    return GraphNode(operator=operator, inputs=inputs, outputs=outputs)


NODES = [
    node("CONV_2D", (0,), (1,)),
    node("LOGISTIC", (1,), (2,)),
    node("DEPTHWISE_CONV_2D", (2,), (3,)),
    node("ADD", (3,), (4,)),
    node("FULLY_CONNECTED", (4,), (5,)),
    node(DELEGATE_NODE, (0,), (2,)),
    node(DELEGATE_NODE, (3,), (5,)),
]


def timed(name: str, place: int, time_us: float) -> Timed:
    return Timed(name=name, place=place, time_us=time_us)


def events(*, operators=None, partitions=None) -> EngineEvents:
    first = (timed("Convolution (NHWC)", 0, 10), timed("Sigmoid (NC)", 1, 20))
    second = (timed("Add (ND)", 0, 30), timed("Static Reshape (NC)", 1, 1), timed("Fully Connected (NC)", 2, 40))
    return EngineEvents(
        total_us=200.0,
        operators=operators
        if operators is not None
        else (timed("DEPTHWISE_CONV_2D", 2, 5), timed(DELEGATE_NODE, 5, 30)),
        partitions=partitions if partitions is not None else (first, second),
    )


def test_every_operator_gets_its_time_and_what_prepares_it_counts_with_it():
    found = assigned(events(), NODES)
    assert found.times_us == {0: 10, 1: 20, 2: 5, 3: 30, 4: 41}
    assert (found.paired, found.prepared, found.unpaired) == (4, 1, 0)


def test_what_has_no_operator_is_listed():
    first = (timed("Convolution (NHWC)", 0, 10), timed("New (NC)", 1, 7), timed("Sigmoid (NC)", 2, 20))
    found = assigned(events(partitions=(first, events().partitions[1])), NODES)
    assert found.without_place == (("New", 7),)
    assert found.unpaired == 1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"partitions": events().partitions[:1]}, "it ran 1 parts in the delegate, the session has 2"),
        ({"operators": (timed("CONV_2D", 2, 5),)}, "operator 2 is CONV_2D there and DEPTHWISE_CONV_2D in the session"),
        (
            {"partitions": ((timed("New (NC)", 0, 1),), (timed("New (NC)", 0, 1), timed("Add (ND)", 1, 1)))},
            "2 of 3 operators of the delegate could not be found in the file",
        ),
    ],
)
def test_a_profile_of_another_graph_is_refused(changes, expected: str):
    with pytest.raises(NoEngineProfileError, match=expected):
        assigned(events(**changes), NODES)
