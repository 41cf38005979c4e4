"""Measuring on other machines than this one: where, what is printed of it, and what is written."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from condmix.deploy.atomic import pending_files, refuse_existing
from condmix.deploy.errors import PlanError
from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.json_text import to_json

if TYPE_CHECKING:
    from condmix.deploy.devices.fleet import FleetDevice
    from condmix.deploy.devices.result import DevicesResult
    from condmix.deploy.measure.gate_result import GateResult
    from condmix.deploy.measure.gates import Gates
    from condmix.deploy.measure.plan import BenchPlan
    from condmix.runtime.bench.settings import BenchSettings

TABLE, RECORD = "devices.md", "devices.json"
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """Where the result goes besides stdout. folder, junit: None for nowhere."""

    folder: Path | None
    overwrite: bool
    junit: Path | None
    github: bool
    as_json: bool


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """The machines that were named. bind, port: where the page for a browser is served."""

    devices: tuple[FleetDevice, ...]
    bind: str
    port: int

    @property
    def names(self) -> tuple[str, ...]:
        """In the order named."""
        return tuple(one.name for one in self.devices)


def named_elsewhere(
    addresses: Sequence[str], fleet: Path | None, *, bind: str, port: int, profile: bool, gated: bool
) -> Elsewhere | None:
    """The machines; None where all is this one. Raises PlanError for what cannot be done there."""
    from condmix.deploy.devices.address import Kind
    from condmix.deploy.devices.run import named_devices

    if not addresses and fleet is None:
        return None
    devices = named_devices(addresses, fleet)
    if [one.address.kind for one in devices] == [Kind.LOCAL]:
        return None
    problems = []
    browsers = [one for one in devices if one.address.kind is Kind.BROWSER]
    if browsers and len(devices) > 1:
        problems.append("a browser is measured alone: leave the other devices out")
    if profile:
        problems.append("--profile looks into the engine on this machine: leave it out")
    if gated and len(devices) > 1:
        problems.append("gates (--fail-if, --baseline, --junit, --github) are about one device: name one")
    if problems:
        summary = "this cannot be done on other machines:"
        raise PlanError(summary, problems)
    return Elsewhere(devices=devices, bind=bind, port=port)


def require_room_elsewhere(where: Elsewhere, output: Path | None, *, overwrite: bool) -> None:
    """All reports can be written, as far as that can be known before minutes of measuring.

    Raises PlanError for what is there already and for devices whose folders would be one, OutputError.
    """
    from condmix.deploy.measure.outputs import check_report_folder

    if output is None:
        return
    folders = [folder_of(output, name) for name in where.names]
    if len(set(folders)) < len(folders):
        summary = "two devices would write to one folder:"
        problems = [f"{name} to {folder}" for name, folder in zip(where.names, folders, strict=True)]
        raise PlanError(summary, problems)
    refuse_existing((output / RECORD, output / TABLE), overwrite=overwrite)
    for folder in folders:
        check_report_folder(folder, overwrite=overwrite)


def measure_elsewhere(
    where: Elsewhere, plan: BenchPlan, settings: BenchSettings, *, command: Sequence[str], say: Callable[[str], None]
) -> DevicesResult:
    """One outcome for each machine; one that fails does not lose the others."""
    from condmix.deploy.devices.address import Kind
    from condmix.deploy.devices.run import run_on_devices

    if where.devices[0].address.kind is Kind.BROWSER:
        return _in_browser(where, plan, settings, command=command, say=say)
    return run_on_devices(where.devices, plan, settings, command=command, say=say)


def tell_elsewhere(result: DevicesResult, gates: Gates, outputs: Outputs) -> ExitCode:
    """Table, verdicts and gates are on stdout, then everything in files: what cannot be written is not lost."""
    from condmix.deploy.devices.comparison import lines
    from condmix.deploy.measure.ending import ending
    from condmix.deploy.measure.outputs import tell_github, write_junit

    reports = list(result.reports.values())
    results: tuple[GateResult, ...] = gates.judge(reports[0]) if len(reports) == 1 else ()
    if outputs.as_json:
        click.echo(to_json(result.to_dict()), nl=False)
    else:
        for line in (*lines(result), *(one.line() for one in results)):
            click.echo(line)
    if outputs.junit is not None and len(reports) == 1:
        write_junit(outputs.junit, reports[0], results)
    if outputs.github and len(reports) == 1:
        tell_github(reports[0], results)
    if outputs.folder is not None:
        for path in _write(result, outputs.folder, overwrite=outputs.overwrite):
            click.echo(f"report: {path}", err=outputs.as_json)
    for failure in result.failures.values():
        click.echo(f"condmix: {failure}", err=True)
    if result.exit_code is not ExitCode.OK or len(reports) != 1:
        return result.exit_code
    code, said = ending(reports[0], results, with_gates=outputs.as_json)
    for line in said:
        click.echo(f"condmix: {line}", err=True)
    return code


def folder_of(output: Path, name: str) -> Path:
    """Where the report of that device lies."""
    return output / (_NOT_IN_A_NAME.sub("-", name).strip("-.") or "device")


def _write(result: DevicesResult, output: Path, *, overwrite: bool) -> list[Path]:
    from condmix.deploy.devices.comparison import markdown
    from condmix.deploy.report.write import write_report

    output.mkdir(parents=True, exist_ok=True)
    with pending_files(overwrite=overwrite) as files:
        files.write(output / RECORD, to_json(result.to_dict()).encode())
        files.write(output / TABLE, markdown(result).encode())
        files.commit()
    pages = [
        write_report(report, folder_of(output, name), overwrite=overwrite).html
        for name, report in result.reports.items()
    ]
    return [output / TABLE, *pages]


def _in_browser(
    where: Elsewhere, plan: BenchPlan, settings: BenchSettings, *, command: Sequence[str], say: Callable[[str], None]
) -> DevicesResult:
    from condmix.deploy.browser.address import Address
    from condmix.deploy.browser.device import BrowserDevice
    from condmix.deploy.browser.qr import qr_text
    from condmix.deploy.devices.side_by_side import measure_side_by_side

    def show(address: Address) -> None:
        for line in address.lines(qr_text):
            click.echo(line, err=True)

    (named,) = where.devices
    device = BrowserDevice(on_address=show, name=named.name, bind=where.bind, port=where.port)
    return measure_side_by_side([(named.address.text, device)], plan, settings, command=command, say=say)
