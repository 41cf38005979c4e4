"""Subjects are told apart without colour."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from condmix.deploy.report.series import letter, line_classes, marker, swatch


@pytest.mark.parametrize(
    ("index", "expected"), [(0, "A"), (25, "Z"), (26, "AA"), (27, "AB"), (701, "ZZ"), (702, "AAA")]
)
def test_letters(index: int, expected: str) -> None:
    assert letter(index) == expected


def test_dash_and_marker_alone_tell_many_subjects_apart() -> None:
    without_colour = set()
    for index in range(24):
        dash = line_classes(index).split()[2]
        path = ElementTree.fromstring(marker(index, 50, 50)).attrib["d"]
        without_colour.add((dash, path))
    assert len(without_colour) == 24


def test_neighbours_differ_in_colour_dash_and_marker() -> None:
    for index in range(12):
        one, other = (line_classes(place).split() for place in (index, index + 1))
        assert all(left != right for left, right in zip(one[1:], other[1:], strict=True))
        assert marker(index, 0, 0) != marker(index + 1, 0, 0)


def test_a_swatch_is_hidden_from_readers_because_words_stand_beside_it() -> None:
    assert ElementTree.fromstring(swatch(3)).attrib["aria-hidden"] == "true"
