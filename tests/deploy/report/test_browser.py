"""The page in a real browser: it asks for nothing, complains of nothing, nothing sticks out, no texts overlap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from condmix.deploy.report.write import write_report
from condmix.runtime.bench.report import BenchReport
from tests.deploy.report.chromium import Page, open_page, program
from tests.deploy.report.synthetic import full_report

pytestmark = pytest.mark.device

WIDTHS = (360, 1280)
SMALLEST_TEXT = 11.0
# Pairs of texts of one picture whose boxes share more than a pixel.
OVERLAPS = """
[...document.querySelectorAll('svg.chart')].flatMap(svg => {
  const boxes = [...svg.querySelectorAll('text')]
    .filter(one => one.textContent.trim()).map(one => [one.textContent, one.getBoundingClientRect()]);
  const found = [];
  boxes.forEach(([one, a], place) => boxes.slice(0, place).forEach(([other, b]) => {
    const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (across > 1 && down > 3) found.push(`${svg.id}: "${one}" on "${other}" by ${across} x ${down}`);
  }));
  return found;
})
"""
OUTSIDE = """
[...document.querySelectorAll('svg.chart')].flatMap(svg => {
  const frame = svg.getBoundingClientRect();
  return [...svg.querySelectorAll('text')]
    .filter(one => one.textContent.trim()).map(one => [one.textContent, one.getBoundingClientRect()])
    .filter(([_, box]) => box.left < frame.left - 2 || box.right > frame.right + 2)
    .map(([text, _]) => `${svg.id}: "${text}"`);
})
"""
SIZES = """
[...document.querySelectorAll('svg.chart')].map(svg => 12 * svg.getBoundingClientRect().width / 360)
"""
HTML_SIZES = """
[...document.querySelectorAll('p, li, td, th, figcaption, summary, a')]
  .map(one => parseFloat(getComputedStyle(one).fontSize))
"""
WIDE = "[document.documentElement.scrollWidth, document.documentElement.clientWidth, document.body.scrollWidth]"
# Contrast of text and ground (WCAG 2), for every kind of text of page and pictures.
CONTRASTS = """
(() => {
  const linear = part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  const luminance = colour => colour.match(/[\\d.]+/g).slice(0, 3).map(part => linear(part / 255))
    .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
  const ground = luminance(getComputedStyle(document.body).backgroundColor);
  const ratio = colour => {
    const one = luminance(colour);
    return (Math.max(one, ground) + 0.05) / (Math.min(one, ground) + 0.05);
  };
  const least = (selector, property) =>
    Math.min(...[...document.querySelectorAll(selector)].map(one => ratio(getComputedStyle(one)[property])));
  return [
    least('p, li, td, th, figcaption, summary, a', 'color'),
    least('svg.chart text', 'fill'),
    least('.series, .marker, .dots', 'color'),
  ];
})()
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A browser for all tests of this file."""
    chromium = program()
    if chromium is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium): the page was not tried in a browser")
    with open_page(chromium, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module", params=["full", "long names", "bare"])
def path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a report."""
    report = {"full": full_report, "long names": _long_names, "bare": lambda: full_report(sections={})}[request.param]()
    return write_report(report, tmp_path_factory.mktemp("report"), overwrite=False).html


def _long_names() -> BenchReport:
    """Names without a place to break them at."""
    report = full_report()
    subjects = tuple(
        replace(one, subject=replace(one.subject, name=f"{'x' * 90}{number}"), failure="y" * 200, sha256="0" * 64)
        for number, one in enumerate(report.subjects)
    )
    return replace(report, subjects=subjects, control=subjects[-1].name, command=("z" * 300,))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page(page: Page, path: Path, width: int, dark: bool) -> None:
    page.show(path, width=width, dark=dark)
    assert page.requests == [path.resolve().as_uri()]
    assert page.complaints == []
    whole, window, body = page.value(WIDE)
    assert whole <= window == width
    assert body <= width
    page.value("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.value(WIDE)[0] <= width
    assert page.value(OVERLAPS) == []
    assert page.value(OUTSIDE) == []
    assert min(page.value(SIZES)) >= SMALLEST_TEXT
    assert min(page.value(HTML_SIZES)) >= SMALLEST_TEXT
    text, drawn, marks = page.value(CONTRASTS)
    assert min(text, drawn) >= 4.5
    assert marks >= 3
    background = page.value("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(20, 23, 26)" if dark else "rgb(255, 255, 255)")


def test_the_page_is_read_without_a_script_and_printed(page: Page, path: Path) -> None:
    page.show(path, width=1280)
    assert page.value("document.scripts.length") == 0
    assert page.pdf().startswith(b"%PDF-")


def test_a_bad_page_would_be_seen(page: Page, tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<body><div style='width:2000px'>wide</div><img src='http://127.0.0.1:9/x.png'>"
        "<svg class='chart' id='s' viewBox='0 0 360 50' width='200'><text x='10' y='20'>one</text>"
        "<text x='12' y='20'>two</text><text x='-90' y='20'>outside</text></svg>"
        "<script>console.error('a complaint')</script></body>"
    )
    page.show(bad, width=360)
    assert len(page.requests) == 2
    assert any("a complaint" in one for one in page.complaints)
    assert page.value(WIDE)[0] > 360
    assert len(page.value(OVERLAPS)) == 1
    assert len(page.value(OUTSIDE)) == 1
    assert page.value(SIZES)[0] < SMALLEST_TEXT
