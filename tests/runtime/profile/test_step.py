"""One operator as an engine ran it."""

from __future__ import annotations

import pytest

from tests.runtime.profile.nets import graph, step

GRAPH = graph([step("Mul a b > c"), step("Split c > d e")], {"a": (1, 8, 1, 1), "b": (2, 1, 1, 1), "c": (1, 8, 4, 4)})


def test_the_writer_of_each_value_is_known():
    assert GRAPH.writer == {"c": 0, "d": 1, "e": 1}


@pytest.mark.parametrize(
    ("value", "elements", "is_vector", "is_one_number"),
    [("a", 8, True, False), ("b", 2, True, True), ("c", 128, False, False), ("unknown", 0, False, False)],
)
def test_sizes_are_those_of_an_image(value: str, elements: int, is_vector: bool, is_one_number: bool):
    assert GRAPH.elements(value) == elements
    assert GRAPH.is_vector(value) is is_vector
    assert GRAPH.is_one_number(value) is is_one_number
