"""An evaluation as one Markdown page: the table, where each file fails, and how it was measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from condmix.deploy.evaluate.report import EvalReport
from condmix.deploy.evaluate.table import LEFT, columns_of, interval, percent, rows_of_table, run_sentence, sentences
from condmix.deploy.report.markdown import escaped


def markdown_page(report: EvalReport) -> str:
    """The whole page."""
    columns = columns_of(report)
    lines = [
        "# Evaluation",
        "",
        *_table(columns, rows_of_table(report), right=[one not in LEFT for one in columns]),
        "",
    ]
    for sentence in (*sentences(report), *report.notes):
        lines.append(f"- {escaped(sentence)}")
    lines += [
        "",
        "Intervals: 95 %, Wilson. lost, gained: images that the yardstick names rightly and this file does not, and "
        "the other way round. SQNR: of the scores, in the median over images; worst: the worst image.",
        "",
    ]
    for place, file in enumerate(report.files):
        lines += [f"## {escaped(file.name)}", "", *_file(report, place), ""]
    lines += ["## How it was measured", "", f"- {escaped(run_sentence(report))}"]
    lines += [f"- {escaped(machine)}" for machine in report.run.machines]
    lines.append(f"- {escaped(', '.join(f'{name} {version}' for name, version in report.run.versions.items()))}")
    lines += [f"- images sha256 {report.images_sha256}", f"- results sha256 {report.results_sha256}"]
    lines += ["", "Every figure: eval.json. Every image: images.csv."]
    return "\n".join(lines) + "\n"


def _file(report: EvalReport, place: int) -> Iterator[str]:
    file, result = report.files[place], report.results[place]
    yield f"{escaped(file.shown)}, {file.engine}, {file.batch} an inference, sha256 {file.source.sha256}"
    found = result.comparison
    if found is not None:
        named = [
            f"{what}: {escaped(report.images[worst].name)}"
            for what, worst in (
                ("worst SQNR", found.sqnr_db_worst_place),
                ("largest difference", found.largest_difference_place),
            )
            if worst is not None
        ]
        if named:
            yield ""
            yield "; ".join(named)
    yield ""
    rows = [
        (report.class_name(one.label), str(one.right.count), str(one.right.total), percent(one.right.share),
         interval(one.right))
        for one in result.classes
    ]  # fmt: skip
    yield from _table(("class", "right", "images", "%", "95 %"), rows, right=[False, True, True, True, True])
    if result.confusions:
        yield ""
        pairs = [
            (report.class_name(one.label), report.class_name(one.answer), str(one.count)) for one in result.confusions
        ]
        yield from _table(("class", "answered", "images"), pairs, right=[False, False, True])


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[bool]) -> Iterator[str]:
    yield _line(columns)
    yield "| " + " | ".join("---:" if one else "---" for one in right) + " |"
    yield from map(_line, rows)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(escaped, cells))} |"
