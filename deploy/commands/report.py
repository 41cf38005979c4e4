"""condmix report: the pages of a latency report, rendered again from its JSON."""

from __future__ import annotations

from pathlib import Path

import click

from condmix.deploy.errors import UnreadableFileError
from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.failures import explained
from condmix.deploy.json_text import to_json
from condmix.deploy.parameters import exit_code_epilog

SCHEMA_VERSION = 1
KIND = "condmix-report-written"


@click.command(
    "report",
    short_help="Render a latency report again from its JSON.",
    epilog=exit_code_epilog(
        "condmix report bench/report.json -o pages",
        "condmix report old.json -o pages --overwrite",
    ),
)
@click.argument("source", metavar="REPORT.json", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    "folder",
    metavar="FOLDER",
    required=True,
    type=click.Path(path_type=Path),
    help="Where report.html, .md, .json, summary.csv and samples.csv appear; made where it is missing.",
)
@click.option("-f", "--overwrite", is_flag=True, help="Replace a report that is there.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout and nothing else there.")
@click.option("-v", "--verbose", is_flag=True, help="A traceback for unexpected errors.")
@explained
def report(*, source: Path, folder: Path, overwrite: bool, as_json: bool, verbose: bool) -> ExitCode:  # noqa: ARG001
    """Write the HTML page, the Markdown and the tables of REPORT.json, which `condmix bench -o` wrote, into FOLDER.

    Nothing is measured again: every figure is computed from the samples in the file.
    """
    from condmix.deploy.report.write import write_report
    from condmix.runtime.bench.report import read_report
    from condmix.runtime.errors import InvalidRecordError

    try:
        found = read_report(source)
    except InvalidRecordError as error:
        raise UnreadableFileError(str(error)) from error
    written = write_report(found, folder, overwrite=overwrite)
    if as_json:
        record = {
            "schema_version": SCHEMA_VERSION,
            "kind": KIND,
            "verdict": found.verdict.first_line(),
            "paths": [str(path) for path in written.paths],
        }
        click.echo(to_json(record), nl=False)
    else:
        click.echo(found.verdict.first_line())
        click.echo(f"report: {written.html}")
    return ExitCode.OK
