"""The report as Markdown: the verdict first, then the sentences and tables of the page, long tables folded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from condmix.deploy.report.page import subtitle_of, title_of
from condmix.deploy.report.parts import Group, Section, Table
from condmix.deploy.report.view import ReportView

_SPECIAL = re.compile(r"[\\`*<>\[\]|&~]|(?<![^\W_])_|_(?![^\W_])")
_LEADING = re.compile(r"^(?:(?=[#+-])|(\d+)(?=[.)](?: |$)))")


def markdown_page(view: ReportView, sections: Sequence[Section]) -> str:
    """The whole page; pictures are only in HTML."""
    lines = [f"**{escaped(view.report.verdict.first_line())}**", "", f"# {escaped(title_of(view))}", ""]
    lines += [escaped(subtitle_of(view)), ""]
    if findings := view.report.verdict.findings[1:]:
        lines += [f"- also {one.verdict}: {escaped(one.reason)}" for one in findings] + [""]
    for section in sections:
        lines += [f"## {escaped(section.title)}", ""]
        for group in section.groups:
            lines += _group(group, listed=section.identity == "caveats")
    lines.append("Pictures: report.html. Every sample: report.json, samples.csv.")
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """The text as Markdown that shows it as it is, in one line."""
    one_line = " ".join(text.split())
    return _LEADING.sub(r"\1\\", _SPECIAL.sub(lambda found: f"\\{found.group()}", one_line))


def _group(group: Group, *, listed: bool) -> Iterator[str]:
    if group.heading:
        yield from (f"### {escaped(group.heading)}", "")
    for sentence in group.sentences:
        yield f"- {escaped(sentence)}" if listed else escaped(sentence)
        if not listed:
            yield ""
    if listed:
        yield ""
    for table in group.tables:
        yield from _table(table)
    for figure in group.figures:
        if figure.data is not None:
            yield from _table(figure.data)


def _table(table: Table) -> Iterator[str]:
    if table.folded:
        yield from (f"<details><summary>{_html(table.title)}</summary>", "")
    elif table.title:
        yield from (f"#### {escaped(table.title)}", "")
    yield _row([escaped(column) for column in table.columns])
    yield _row(["---:" if column in table.numbers else "---" for column in table.columns])
    yield from (_row([escaped(cell) for cell in row]) for row in table.rows)
    yield ""
    if table.folded:
        yield from ("</details>", "")


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
