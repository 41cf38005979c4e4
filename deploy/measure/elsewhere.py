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
    from condmix.deploy.browser.address import Address as PageAddress
    from condmix.deploy.devices.fleet import FleetDevice
    from condmix.deploy.devices.open_device import DeviceOptions
    from condmix.deploy.devices.phone_choices import PhoneChoices
    from condmix.deploy.devices.result import DevicesResult
    from condmix.deploy.measure.gate_result import GateResult
    from condmix.deploy.measure.gates import Gates
    from condmix.deploy.measure.plan import BenchPlan
    from condmix.runtime.bench.settings import BenchSettings

TFLITE_RUNTIME = "tflite-runtime"
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


@dataclass(frozen=True)
class PhoneFlags:
    """As typed; None where it was not."""

    cores: str | None = None
    cool_to: float | None = None
    cool_seconds: float | None = None
    no_fixed_performance: bool = False


NO_PHONE_FLAGS = PhoneFlags()


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """The machines that were named, and what flags say of all of them."""

    devices: tuple[FleetDevice, ...]
    options: DeviceOptions

    @property
    def renames(self) -> bool:
        """Subjects get other names there: a browser measures each file in several ways."""
        return any(str(one.address.kind) == "browser" for one in self.devices)

    @property
    def names(self) -> tuple[str, ...]:
        """In the order named."""
        return tuple(one.name for one in self.devices)


def named_elsewhere(
    addresses: Sequence[str],
    fleet: Path | None,
    *,
    phones: PhoneFlags = NO_PHONE_FLAGS,
    bind: str = "127.0.0.1",
    port: int = 0,
    engines: Sequence[str] = (),
    profile: bool = False,
    gated: bool = False,
) -> Elsewhere | None:
    """The machines; None where all is this one. Raises PlanError for what cannot be done there."""
    from condmix.deploy.devices.address import Kind
    from condmix.deploy.devices.open_device import DeviceOptions
    from condmix.deploy.devices.run import named_devices

    if not addresses and fleet is None and phones == NO_PHONE_FLAGS:
        return None
    devices = named_devices(addresses, fleet)
    options = DeviceOptions(phones=phone_choices(phones), bind=bind, port=port, on_page=_show)
    problems = _flag_problems(devices, options)
    if [one.address.kind for one in devices] == [Kind.LOCAL] and not problems:
        return None
    others = [one.name for one in devices if one.address.kind is not Kind.LOCAL]
    if TFLITE_RUNTIME in engines and others:
        problems.append(
            f"--engine {TFLITE_RUNTIME}: its packages are those of this machine, and {', '.join(others)} is another; "
            "32-bit boards run .tflite files in it by themselves"
        )
    if profile:
        problems.append("--profile looks into the engine on this machine: leave it out")
    if gated and len(devices) > 1:
        problems.append("gates (--fail-if, --baseline, --junit, --github) are about one device: name one")
    if problems:
        summary = "this cannot be done on other machines:"
        raise PlanError(summary, problems)
    return Elsewhere(devices=devices, options=options)


def phone_choices(flags: PhoneFlags) -> PhoneChoices:
    """What the flags say. Raises PlanError for what no phone can be told."""
    from condmix.deploy.devices.phone_choices import PhoneChoices
    from condmix.runtime.errors import InvalidSettingError

    try:
        return PhoneChoices(
            cores=flags.cores,
            cool_to=flags.cool_to,
            cool_seconds=flags.cool_seconds,
            fixed_performance=False if flags.no_fixed_performance else None,
        )
    except InvalidSettingError as error:
        summary = "no phone can be told this:"
        raise PlanError(summary, error.problems) from error


def _flag_problems(devices: Sequence[FleetDevice], options: DeviceOptions) -> list[str]:
    """Flags about phones and pages that not all devices can follow: a fleet file says them of one."""
    from condmix.deploy.devices.address import Kind

    problems = []
    others = [one.name for one in devices if one.address.kind is not Kind.ADB]
    if others and options.phones.flags:
        flags, names = ", ".join(options.phones.flags), ", ".join(others)
        fleet = "" if len(others) == len(devices) else "; a fleet file says it of the phone alone"
        problems.append(f"{flags}: only of a phone by adb can cores and warmth be told, and {names} is none{fleet}")
    pages = [one.port or options.port for one in devices if one.address.kind is Kind.BROWSER]
    if twice := sorted({port for port in pages if port and pages.count(port) > 1}):
        problems.append(f"port {', '.join(map(str, twice))}: two browsers cannot be served there; name none, or others")
    return problems


def check_gates_elsewhere(where: Elsewhere, gates: Gates) -> None:
    """No gate asks an emulated machine for a time. Raises PlanError before anything is measured."""
    from condmix.deploy.devices.address import Kind

    emulated = [one.name for one in where.devices if one.address.kind is Kind.EMULATED]
    if not emulated or not gates.about_time():
        return
    problems = [f"{text}: {', '.join(emulated)} is emulated and gives no time" for text in gates.about_time()]
    summary = "an emulated device cannot be judged by this, only by agreement, max_difference, sqnr, size and verdict:"
    raise PlanError(summary, problems)


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
    from condmix.deploy.devices.run import run_on_devices

    return run_on_devices(where.devices, plan, settings, options=where.options, command=command, say=say)


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


def clean_elsewhere(addresses: Sequence[str], fleet: Path | None, files: Sequence[Path]) -> ExitCode:
    """Nothing of condmix is left on the devices; one that fails does not keep the others from being cleaned.

    Raises PlanError for files, and without a device.
    """
    if files or not (addresses or fleet):
        summary = "--clean is about devices, and measures nothing:"
        problems = [f"leave {file} out" for file in files]
        if not (addresses or fleet):
            problems.append("say which with --device or --fleet")
        raise PlanError(summary, problems)
    from condmix.deploy.devices.run import clean_devices, named_devices

    removed, failed = clean_devices(named_devices(addresses, fleet))
    for line in removed:
        click.echo(line)
    for line in failed:
        click.echo(f"condmix: {line}", err=True)
    return ExitCode.MISSING if failed else ExitCode.OK


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


def _show(name: str, address: PageAddress) -> None:
    """The address is on stderr, in one piece however many devices are at work."""
    from condmix.deploy.browser.qr import qr_text

    click.echo("\n".join([f"{name}:", *(f"  {line}" for line in address.lines(qr_text))]), err=True)
