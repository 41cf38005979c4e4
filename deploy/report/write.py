"""A report on the disk: HTML, Markdown, JSON and CSV, which appear together or not at all."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from condmix.deploy.atomic import pending_files, require_room
from condmix.deploy.errors import OutputError, UnreadableFileError
from condmix.deploy.json_text import to_json
from condmix.deploy.report.csv_files import samples_csv, summary_csv
from condmix.deploy.report.markdown import markdown_page
from condmix.deploy.report.page import html_page, sections_of
from condmix.deploy.report.view import ReportView
from condmix.runtime.bench.report import BenchReport

NAMES = ("report.html", "report.md", "report.json", "summary.csv", "samples.csv")


@dataclass(frozen=True, kw_only=True)
class WrittenReport:
    """Where it lies: `html` is what a person opens, `paths` are all files in the order of NAMES."""

    paths: tuple[Path, ...]

    @property
    def html(self) -> Path:
        """The page."""
        return self.paths[0]


def write_report(report: BenchReport, folder: Path, *, overwrite: bool) -> WrittenReport:
    """All files of the report are in the folder, which is made where it is missing.

    Raises PlanError for files that are there already (unless `overwrite`), OutputError where they cannot be written,
    UnreadableFileError where a section of the report is damaged; older files are then as they were.
    """
    contents = rendered(report)
    made = _make(folder)
    paths = tuple(folder / name for name in NAMES)
    try:
        require_room(paths, overwrite=overwrite)
        with pending_files(overwrite=overwrite) as files:
            for path in paths:
                files.write(path, contents[path.name].encode())
            files.commit()
    except BaseException:
        if made:
            # Only what is empty goes.
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise
    return WrittenReport(paths=paths)


def rendered(report: BenchReport) -> dict[str, str]:
    """The text of each file by its name. Raises UnreadableFileError where a section of the report is damaged."""
    view = ReportView(report)
    sections = sections_of(view)
    try:
        json_text = to_json(report.to_dict())
    except ValueError as error:
        message = f"the report cannot be written as JSON: {error}. A section holds a figure that is not finite."
        raise UnreadableFileError(message) from error
    texts = (
        html_page(view, sections),
        markdown_page(view, sections),
        json_text,
        summary_csv(view),
        samples_csv(view),
    )
    return dict(zip(NAMES, texts, strict=True))


def _make(folder: Path) -> bool:
    """The folder exists; whether it was made now. Raises OutputError."""
    if folder.is_dir():
        return False
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise OutputError(folder, error) from error
    return True
