"""The Markdown of a report. After a change that is meant:

    CONDMIX_UPDATE_GOLDEN=1 python -m pytest tests/deploy/report -k golden

writes it anew; review the difference before it is committed.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.deploy.report.markdown import escaped, markdown_page
from condmix.deploy.report.page import sections_of
from condmix.deploy.report.view import ReportView
from tests.deploy.report.synthetic import full_report

GOLDEN = Path(__file__).parents[2] / "golden" / "latency-report.md"


def _page() -> str:
    view = ReportView(full_report())
    return markdown_page(view, sections_of(view))


def test_the_page_is_the_golden_one() -> None:
    page = _page()
    if os.environ.get("CONDMIX_UPDATE_GOLDEN"):
        GOLDEN.write_text(page, encoding="utf-8")
    assert page == GOLDEN.read_text(encoding="utf-8")


def test_the_verdict_is_the_first_line() -> None:
    assert _page().splitlines()[0] == f"**{full_report().verdict.first_line()}**"


def test_rows_have_as_many_cells_as_their_head() -> None:
    lines = _page().splitlines()
    heads = [place for place, line in enumerate(lines) if line.startswith("| ---")]
    assert len(heads) > 20
    for place in heads:
        cells = lines[place].count("|")
        assert lines[place - 1].replace("\\|", "").count("|") == cells
        assert lines[place + 1].replace("\\|", "").count("|") == cells


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model_int8.onnx", "model_int8.onnx"),
        ("_private_ __all__", r"\_private\_ \_\_all\_\_"),
        ("a|b", r"a\|b"),
        ("<script>", r"\<script\>"),
        ("two\nlines", "two lines"),
        ("# not a heading", r"\# not a heading"),
        ("1. no list", r"1\. no list"),
        ("15.37 ms", "15.37 ms"),
        ("[a](b) `c` *d* &amp;", r"\[a\](b) \`c\` \*d\* \&amp;"),
    ],
)
def test_texts_are_shown_as_they_are(text: str, expected: str) -> None:
    assert escaped(text) == expected


@given(st.text(max_size=60))
def test_no_text_breaks_out_of_its_line_or_cell(text: str) -> None:
    shown = escaped(text)
    assert len(shown.splitlines()) <= 1
    plain = shown.replace("\\\\", "")
    assert "|" not in plain.replace("\\|", "")
    assert "<" not in plain.replace("\\<", "")
