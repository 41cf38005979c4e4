"""condmix zoo: which architectures there are."""

from __future__ import annotations

import sys

import click

from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.failures import explained
from condmix.deploy.parameters import exit_code_epilog, output_options
from condmix.deploy.tables import plain_table
from condmix.deploy.terminal import console, stage_progress


@click.command(
    "zoo",
    short_help="List the architectures.",
    epilog=exit_code_epilog("condmix zoo", "condmix zoo --counts", "condmix zoo condconv_mobilenet_v2 --json"),
)
@click.argument("name", required=False)
@click.option("--counts", is_flag=True, help="Count multiply-adds too.")
@output_options
@explained
def zoo(*, name: str | None, counts: bool, as_json: bool, quiet: bool, verbose: bool) -> ExitCode:
    """List the architectures that --arch knows, or show the one called NAME with its settings.

    A multiply-add is one product added up in a convolution or a linear layer, for one image; mixing kernels
    and routing are counted.
    """
    del verbose  # read by the boundary
    with stage_progress(quiet=quiet or not counts) as report_progress:
        from condmix.deploy.zoo_listing import SCHEMA_VERSION, list_zoo
        from condmix.models.zoo import names

        rows = list_zoo(names() if name is None else [name], with_counts=counts, report_progress=report_progress)
    if as_json:
        from condmix.deploy.json_text import to_json

        record = {
            "schema_version": SCHEMA_VERSION,
            "kind": "condmix-zoo",
            "architectures": [row.to_dict() for row in rows],
        }
        click.echo(to_json(record), nl=False)
        return ExitCode.OK
    columns = [
        "name",
        "family",
        "input",
        "classes",
        "parameters",
        *(["multiply-adds"] if counts else []),
        "what it is",
    ]
    cells = [
        [
            row.name,
            row.family,
            "x".join(map(str, row.input_size)),
            str(row.num_classes),
            f"{row.parameters:,}",
            *([f"{row.multiply_adds:,}"] if row.multiply_adds is not None else []),
            row.summary,
        ]
        for row in rows
    ]
    numbers = ("classes", "parameters", "multiply-adds")
    console(sys.stdout).print(plain_table(columns, cells, right=numbers))
    if name is not None:
        click.echo(f"\n{rows[0].paper}\nsettings, each may be changed with --set KEY=VALUE:")
        for key, value in rows[0].settings.items():
            click.echo(f"  {key} = {value!r}")
    return ExitCode.OK
