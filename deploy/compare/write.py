"""A comparison on the disk: its table as Markdown, CSV and JSON, beside the report of the measurement."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from condmix.deploy.atomic import pending_files, require_room
from condmix.deploy.json_text import to_json
from condmix.deploy.measure.summary_table import noise_line

if TYPE_CHECKING:
    from condmix.deploy.compare.table import Row
    from condmix.runtime.bench.report import BenchReport

NAMES = ("comparison.md", "comparison.csv", "comparison.json")
SCHEMA_VERSION = 1
KIND = "condmix-comparison"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The table, what it was made of, and what a reader should know.

    foreign: rows of files that others' exporters made here. rejected: files of ours that failed their proof.
    """

    rows: tuple[Row, ...]
    report: BenchReport
    notes: tuple[str, ...] = ()
    foreign: frozenset[str] = frozenset()
    rejected: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON, with `schema_version` and `kind`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": KIND,
            "verdict": self.report.verdict.first_line(),
            "first": self.report.baseline,
            "noise_floor": self.report.noise_floor(),
            "rows": [row.to_dict() for row in self.rows],
            "notes": list(self.notes),
            "command": list(self.report.command),
            "created": self.report.created,
        }


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Table and report can be written there, as far as can be told before. Raises PlanError or OutputError."""
    from condmix.deploy.measure.outputs import check_report_folder

    check_report_folder(folder, overwrite=overwrite)
    if folder.is_dir():
        require_room(tuple(folder / name for name in NAMES), overwrite=overwrite)


def write_comparison(comparison: Comparison, folder: Path, *, overwrite: bool) -> tuple[Path, ...]:
    """The three files are in the folder, together or not at all. Raises PlanError or OutputError."""
    texts = (markdown(comparison), csv_text(comparison.rows), to_json(comparison.to_dict()))
    paths = tuple(folder / name for name in NAMES)
    with pending_files(overwrite=overwrite) as files:
        for path, text in zip(paths, texts, strict=True):
            files.write(path, text.encode())
        files.commit()
    return paths


def markdown(comparison: Comparison) -> str:
    """Verdict, table and notes on one short page."""
    from condmix.deploy.compare.table import COLUMNS, NUMBERS
    from condmix.deploy.report.markdown import escaped

    rows = [[escaped(cell) for cell in row] for row in (COLUMNS, *(row.cells() for row in comparison.rows))]
    right = ["---:" if column in NUMBERS else "---" for column in COLUMNS]
    lines = [f"**{escaped(comparison.report.verdict.first_line())}**", ""]
    lines += [f"| {' | '.join(row)} |" for row in (rows[0], right, *rows[1:])]
    notes = (f"{noise_line(comparison.report)}.", *comparison.notes)
    lines += ["", f"Times in ms; ratios are to {escaped(comparison.report.baseline)}.", ""]
    return "\n".join([*lines, *(f"- {escaped(note)}" for note in notes)]) + "\n"


def csv_text(rows: Sequence[Row]) -> str:
    """One line a row under the names of its fields; empty where there is nothing."""
    stream = io.StringIO()
    records = [row.to_dict() for row in rows]
    writer = csv.DictWriter(stream, fieldnames=list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return stream.getvalue()
