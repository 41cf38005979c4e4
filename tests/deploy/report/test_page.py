"""The page: well formed, alone in the world, and nothing that was measured is ever markup."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from condmix.deploy.report.page import html_page, sections_of
from condmix.deploy.report.view import ReportView
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.samples import Samples
from tests.deploy.report.synthetic import full_report, sections, shortened

HOSTILE = '"><script src=http://evil.example/x.js></script><img src=x onerror=alert(1)>&{{ 7*7 }}'
VOID = {"meta", "link", "br", "img", "hr", "input"}


class Outline(HTMLParser):
    """Every element, whether each is closed where it was opened, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def _page(report: BenchReport) -> str:
    view = ReportView(report)
    return html_page(view, sections_of(view))


@pytest.fixture(scope="module")
def whole() -> str:
    return _page(full_report())


def _hostile() -> BenchReport:
    """Every text of the report is an attack."""
    report = shortened(full_report(), 3)
    subjects = tuple(
        replace(
            one,
            subject=replace(one.subject, name=f"{number}{HOSTILE}", file=Path(HOSTILE.replace("/", ""))),
            engine_version=HOSTILE,
            sha256=HOSTILE,
            failure=HOSTILE,
            inputs={HOSTILE: (1, 3)},
        )
        for number, one in enumerate(report.subjects)
    )
    extras: dict[str, object] = sections()
    hostile_extras = {
        "profile": {HOSTILE: _attacked(extras["profile"])["condmix.onnx"]},
        "routing": {HOSTILE: _attacked(extras["routing"])["condmix"]},
        "batch_curve": {HOSTILE: extras["batch_curve"]["stock.onnx"]},
        "input_dependence": {
            HOSTILE: {"inputs": [{"input": 0, "median_ns": 1, "runs": 1}], "depends": None, "sentence": HOSTILE}
        },
        "accuracy": {f"0{HOSTILE}": {"top1": 0.5, "images": 1, "source": HOSTILE}},
        HOSTILE: {},
    }
    machine = replace(report.environment_before, unreadable={HOSTILE: HOSTILE}, power=HOSTILE)
    return replace(
        report,
        subjects=subjects,
        control=f"5{HOSTILE}",
        command=(HOSTILE,),
        created=HOSTILE,
        interrupted=HOSTILE,
        environment_before=machine,
        environment_after=machine,
        sections=hostile_extras,
    )


def _attacked(value: object, key: str = "") -> object:
    """The data with every text that has no fixed meaning replaced."""
    if isinstance(value, dict):
        return {name: _attacked(one, name) for name, one in value.items()}
    if isinstance(value, list):
        return [_attacked(one, key) for one in value]
    return HOSTILE if isinstance(value, str) and key != "bound" else value


def test_nothing_is_loaded_and_no_script_is_there(whole: str) -> None:
    outline = Outline(whole)
    assert not {"script", "iframe", "object", "embed", "img", "base", "form"} & set(outline.tags)
    addresses = [value for name, value in outline.attributes if name in ("href", "src", "srcset", "data", "xlink:href")]
    assert addresses
    assert all(address.startswith("#") or address == "data:," for address in addresses)
    assert not re.search(r"url\(|@import|javascript:", whole)
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in [value for _, value in outline.attributes]


def test_the_verdict_is_the_first_thing_that_is_read(whole: str) -> None:
    body = whole.partition("<body>")[2]
    first = re.search(r"<p[^>]*>(.*?)</p>", body)
    assert first is not None
    assert first.group(1) == full_report().verdict.first_line()


def test_identities_are_unique_and_every_reference_has_its_target(whole: str) -> None:
    outline = Outline(whole)
    identities = [value for name, value in outline.attributes if name == "id"]
    assert len(set(identities)) == len(identities)
    links = {value[1:] for name, value in outline.attributes if name == "href" and value.startswith("#")}
    named = {one for name, value in outline.attributes if name == "aria-labelledby" for one in value.split()}
    assert links | named <= set(identities)


def test_every_picture_has_words_and_no_colour_of_its_own(whole: str) -> None:
    outline = Outline(whole)
    assert outline.tags["svg"] > 25
    charts = sum(name == "role" and value == "img" for name, value in outline.attributes)
    assert outline.tags["desc"] == charts
    assert not {name for name, _ in outline.attributes} & {"fill", "stroke", "style", "color"}


def test_attacks_stay_text(whole: str) -> None:
    attacked = _page(_hostile())
    outline = Outline(attacked)
    assert set(outline.tags) <= set(Outline(whole).tags)
    assert not {name for name, _ in outline.attributes if name.startswith("on")}
    assert outline.text.count("<script src=http://evil.example/x.js></script>") > 20
    assert "{{ 7*7 }}" in outline.text
    assert "49" not in re.findall(r"&(\d+)", outline.text)


def test_an_attack_would_be_seen() -> None:
    assert "script" in Outline("<p><script src=x></script></p>").tags


def test_every_class_of_the_page_is_in_the_style_sheet(whole: str) -> None:
    style = whole.partition("<style>")[2].partition("</style>")[0]
    styled = set(re.findall(r"\.([a-z][\w-]*)", style))
    used = {one for name, value in Outline(whole).attributes if name == "class" for one in value.split()}
    # Those that look like plain text or have nothing of their own to show.
    without_style = {"group", "label", "d0", "opening0", "plain", "compute", "series"}
    assert used - styled <= without_style


def test_a_report_in_which_everything_was_lost_is_a_page() -> None:
    report = full_report(sections={}, rounds=0)
    lost = tuple(
        replace(one, samples=Samples(), openings=(), agreement=None, failure="gone", sha256="", size_bytes=0)
        for one in report.subjects
    )
    text = Outline(_page(replace(report, subjects=lost))).text
    assert text.count("was lost after 0 timed runs: gone") == 6
    assert "not measured" in text
