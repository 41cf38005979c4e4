"""Reading reports that were given on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from condmix.deploy.errors import UnreadableFileError
from condmix.runtime.bench.report import BenchReport, read_report
from condmix.runtime.errors import InvalidRecordError


def read_reports(paths: Sequence[Path]) -> tuple[BenchReport, ...]:
    """The report in each file. Raises UnreadableFileError with all that is wrong with any of them."""
    reports, problems = [], []
    for path in paths:
        try:
            reports.append(read_report(path))
        except InvalidRecordError as error:
            problems.append(str(error))
    if problems:
        raise UnreadableFileError("\n".join([*problems, "Give the report.json of `condmix bench FILE... -o FOLDER`."]))
    return tuple(reports)
