"""SVG as text: escaped, titled, and no colour in it."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from condmix.deploy.report import svg

HOSTILE = "\"><script>alert(1)</script>&'`</svg>"


def _picture(*children: Markup, title: str = "t", description: str = "d") -> ElementTree.Element:
    return ElementTree.fromstring(
        svg.picture(*children, height=10, identity="a-1", title=title, description=description)
    )


def test_a_picture_has_a_title_and_a_description_that_it_refers_to() -> None:
    root = _picture(title="What", description="Figures")
    names = root.attrib["aria-labelledby"].split()
    assert [(root[place].attrib["id"], root[place].text) for place in (0, 1)] == [
        (names[0], "What"),
        (names[1], "Figures"),
    ]
    assert root.attrib["role"] == "img"


@pytest.mark.parametrize("identity", ["", "a b", 'a"', "ä", "a_b"])
def test_an_identity_that_is_no_plain_word_is_refused(identity: str) -> None:
    with pytest.raises(ValueError, match="identity must be"):
        svg.picture(height=1, identity=identity, title="", description="")


def test_words_titles_and_attributes_of_strangers_stay_text() -> None:
    parts = (
        svg.words(1, 2, HOSTILE),
        svg.tooltip(HOSTILE),
        svg.element("g", {"data-name": HOSTILE}),
    )
    root = _picture(*parts, title=HOSTILE, description=HOSTILE)
    assert [element.tag.rpartition("}")[2] for element in root] == ["title", "desc", "text", "title", "g"]
    assert root[2].text == root[3].text == root[4].attrib["data-name"] == root[0].text == HOSTILE


@given(st.floats(-1e6, 1e6))
def test_a_coordinate_is_right_to_a_tenth(value: float) -> None:
    assert abs(float(svg.number(value)) - value) <= 0.0501
    assert svg.number(value) != "-0.0"


def test_small_attributes_keep_their_digits() -> None:
    assert 'fill-opacity="0.125"' in svg.rectangle(0, 0, 1, 1, "heat", opacity=0.125)


def test_a_rectangle_is_never_of_negative_size() -> None:
    assert 'width="0"' in svg.rectangle(0, 0, -3, 1, "bar")


def test_dots_that_nobody_could_tell_apart_are_one() -> None:
    assert svg.dots([(1.0, 1.0), (1.1, 0.9), (1.0, 2.0)], "x").count("M") == 2


def test_nothing_is_drawn_of_no_points() -> None:
    assert svg.dots([], "x") == svg.polyline([], "x") == ""


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("blocks.0", 100, "blocks.0"),
        ("blocks.5.3.conv_pwl.weights", 100, "block….weights"),
    ],
)
def test_a_long_name_keeps_both_ends(text: str, width: float, expected: str) -> None:
    assert svg.shortened(text, width) == expected


@given(st.text(max_size=80), st.floats(40, 300))
def test_a_shortened_text_fits(text: str, width: float) -> None:
    assert svg.text_width(svg.shortened(text, width)) <= width
