"""Plain JSON of strangers: every fault with its place, all at once."""

from __future__ import annotations

import math

from condmix.deploy.report.json_reader import JsonReader


def _reader(value: object) -> JsonReader:
    return JsonReader(value, place="top", problems=[])


def test_what_is_right_is_read() -> None:
    reader = _reader({"text": "a", "number": 2, "whole": 3, "list": [1.5], "truth": False, "by_name": {"x": 1}})
    assert reader.child("text").text() == "a"
    assert reader.child("number").number() == 2.0
    assert reader.child("whole").whole() == 3
    assert reader.child("list").items(lambda one: one.number()) == (1.5,)
    assert reader.child("truth").truth() is False
    assert reader.child("by_name").mapping(lambda one: one.whole()) == {"x": 1}
    assert (
        reader.child("none").optional_text(),
        reader.child("none").optional_number(),
        reader.child("none").truth(),
    ) == (
        None,
        None,
        None,
    )
    assert reader.problems == []


def test_every_fault_has_its_place_and_reading_goes_on() -> None:
    reader = _reader({"a": [1, "x", True, math.nan, -1], "b": 1.5, "c": "no", "d": 7})
    assert reader.child("a").items(lambda one: one.number()) == (1.0, 0.0, 0.0, 0.0, 0.0)
    assert reader.child("b").whole() == 0
    assert reader.child("c").truth() is None
    assert reader.child("d").text() == ""
    assert reader.child("e").items(lambda one: one.text()) == ()
    assert reader.child("c").mapping(lambda one: one.text()) == {}
    assert reader.problems == [
        "top.a[1] must be a number, found 'x'",
        "top.a[2] must be a number, found True",
        "top.a[3] must be a number, found nan",
        "top.a[4] must be at least 0, found -1",
        "top.b must be a whole number of at least 0, found 1.5",
        "top.c must be true, false or null, found 'no'",
        "top.d must be a text, found 7",
        "top.e must be a list, found nothing",
        "top.c must be an object, found 'no'",
    ]


def test_a_long_value_is_shown_in_part() -> None:
    reader = _reader("x" * 1000)
    reader.whole()
    assert len(reader.problems[0]) < 130
