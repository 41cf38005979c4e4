"""Where the time goes: bars, roofline and tables of what a profile has."""

from __future__ import annotations

from types import MappingProxyType

import pytest

from condmix.deploy.report.parts import Group
from condmix.deploy.report.profile_section import MOST_BARS, coverage_words, profile_section
from condmix.deploy.report.view import ReportView
from tests.deploy.report.drawing import of_class
from tests.deploy.report.synthetic import full_report
from tests.deploy.report.synthetic_profile import MODULES, profile


def _group(changes: dict[str, object]) -> Group:
    section = profile_section(ReportView(full_report(sections={"profile": {"condmix.onnx": profile() | changes}})))
    assert section is not None
    return section.groups[1]


def test_no_profile_no_section() -> None:
    assert profile_section(ReportView(full_report(sections={}))) is None


def test_modules_come_longest_first_and_the_rest_is_in_the_table() -> None:
    group = _group({})
    assert group.heading == "B  condmix.onnx"
    bars = group.figures[1]
    assert len(of_class(bars.svg, "bar")) == MOST_BARS
    assert "4 more modules, 2.2 % together: in the table." in bars.caption
    assert bars.data is not None
    assert len(bars.data.rows) == len(MODULES)
    assert bars.data.rows[0][:5] == ("1", "blocks.1.0.conv_pw", "1x1 convolution", "702", "19.8 %")
    assert bars.data.rows[-1][3:5] == ("below the noise", "")


def test_ranks_in_the_roofline_are_those_of_the_table() -> None:
    group = _group({})
    modules, roofline = group.figures[1].data, group.figures[2].data
    assert modules is not None
    assert roofline is not None
    named = {row[0]: row[1] for row in modules.rows}
    assert all(named[row[0]] == row[1] for row in roofline.rows)
    assert "3 modules without multiply-adds, bytes or time cannot be drawn." in group.figures[2].caption


@pytest.mark.parametrize(
    "missing",
    [
        {"peak": None, "peaks": None},
        {"bandwidth": None},
        {"modules": []},
        {"bandwidth": {"bytes_per_second": 0, "how": ""}},
    ],
)
def test_a_roofline_needs_both_rates_and_layers(missing: dict[str, object]) -> None:
    assert all(not of_class(figure.svg, "roof") for figure in _group(missing).figures)


def test_one_peak_is_enough_for_a_roofline() -> None:
    group = _group({"peaks": None})
    assert len(of_class(group.figures[2].svg, "roof")) == 1
    assert (
        "This core can do in a second, as measured: 41 G multiply-adds (matrix product of 512); 11.5 G bytes"
        in group.sentences[1]
    )


def test_notes_and_special_rows_are_told() -> None:
    group = _group({"notes": ["a remark"]})
    assert group.tables[0].rows == (("a remark",),)
    assert not any("note" in table.columns for table in _group({"notes": []}).tables)
    assert group.figures[0].data is not None
    assert [row[0] for row in group.figures[0].data.rows][:3] == ["routing", "kernel mixing", "split/concat"]


@pytest.mark.parametrize(
    ("coverage", "words"),
    [
        (
            {"operators": 3, "delegated": 3, "partitions": 1, "not_delegated": {}},
            "The delegate takes 3 of 3 operators in 1 part",
        ),
        (
            MappingProxyType({"operators": 3, "delegated": 1, "partitions": 1, "not_delegated": {"PACK": 2}}),
            "The delegate takes 1 of 3 operators in 1 part; left to the engine: PACK x2",
        ),
        ({"parts": 2}, "Delegate coverage: {'parts': 2}"),
    ],
)
def test_what_the_delegate_takes(coverage: object, words: str) -> None:
    assert coverage_words(coverage) == words
