"""condmix bench --tool: the user's own benchmark_model or onnxruntime_perf_test, on a phone or a board."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from condmix.deploy.errors import PlanError
from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.metadata import condmix_version

if TYPE_CHECKING:
    from condmix.deploy.devices.tool_result import ToolResult, ToolRun
    from condmix.deploy.measure.elsewhere import Elsewhere

SCHEMA_VERSION = 1
KIND = "condmix-tool-latencies"
_SUMMARY = "--tool cannot measure this:"


@dataclass(frozen=True, kw_only=True)
class ToolRequest:
    """What was typed. files: with what bundles hold. arguments: as one text, split as a shell splits it."""

    tool: Path
    files: tuple[Path, ...]
    threads: tuple[int, ...]
    runs: int
    libraries: tuple[Path, ...]
    arguments: str | None


@dataclass(frozen=True, kw_only=True)
class ToolOutcome:
    """results: in the order of devices, files and threads. failures: device -> the whole sentence.

    notes: what was left out.
    """

    command: tuple[str, ...]
    results: tuple[ToolResult, ...]
    failures: dict[str, str]
    notes: tuple[str, ...]

    @property
    def exit_code(self) -> ExitCode:
        """8 where a device has no result."""
        return ExitCode.MISSING if self.failures else ExitCode.OK

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON, with `schema_version` and `kind`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": KIND,
            "condmix_version": condmix_version(),
            "command": list(self.command),
            "results": [one.to_dict() for one in self.results],
            "failures": self.failures,
            "notes": list(self.notes),
        }


def tool_runs(request: ToolRequest, typed: Sequence[Path]) -> tuple[tuple[ToolRun, ...], tuple[str, ...]]:
    """What is to be run, and what of bundles the tool does not read. typed: the files as typed.

    Raises PlanError with everything that is wrong.
    """
    from condmix.deploy.devices.tool_result import SUFFIXES, ToolRun, tool_named

    problems, notes = [], []
    tool = tool_named(request.tool)
    if tool is None:
        known = " or ".join(SUFFIXES)
        problems.append(f"--tool {request.tool}: expected {known}, known by its name: no other output is understood")
    libraries = [("--tool-library", one) for one in request.libraries]
    for flag, path in (("--tool", request.tool), *libraries, *(("FILE", one) for one in typed)):
        if not path.is_file():
            problems.append(f"{flag} {path}: there is no such file")
    try:
        arguments = tuple(shlex.split(request.arguments or ""))
    except ValueError as error:
        problems.append(f"--tool-args {request.arguments!r}: no shell could read it: {error}")
    files, suffix = [], SUFFIXES.get(tool or "", "")
    for file in request.files if tool is not None else ():
        if file.suffix.lower() == suffix:
            files.append(file)
        elif file in typed:
            problems.append(f"{file}: {tool} reads {suffix} files alone")
        else:
            notes.append(f"{file.name} of the bundle is left out: {tool} reads {suffix} files alone")
    if not problems and not files:
        problems.append(f"there is no {suffix} file among those given")
    names = [one.name for one in (request.tool, *request.libraries)]
    problems += [
        f"{name}: two files would have this name on the device: rename one"
        for name in dict.fromkeys([*names, *(file.name for file in files)])
        if names.count(name) + (name in [file.name for file in files]) > 1
    ]
    if problems:
        raise PlanError(_SUMMARY, problems)
    runs = [
        ToolRun(
            binary=request.tool,
            file=file,
            threads=threads,
            runs=request.runs,
            libraries=request.libraries,
            arguments=arguments,
        )
        for file in files
        for threads in request.threads
    ]
    return tuple(runs), tuple(notes)


def check_tool_devices(where: Elsewhere | None) -> Elsewhere:
    """The machines that were named, all of which take a tool. Raises PlanError for others."""
    from condmix.deploy.devices.address import Kind

    named = () if where is None else where.devices
    others = [one.name for one in named if one.address.kind not in (Kind.ADB, Kind.SSH)]
    if where is None:
        raise PlanError(_SUMMARY, ["it runs on a phone or a board: give --device adb or ssh://USER@HOST"])
    if others:
        raise PlanError(_SUMMARY, [f"{name}: it runs on phones (adb) and boards (ssh) alone" for name in others])
    return where


def measure_with_tool(
    where: Elsewhere,
    runs: Sequence[ToolRun],
    notes: Sequence[str],
    *,
    command: Sequence[str],
    say: Callable[[str], None],
) -> ToolOutcome:
    """Every run on every device, one after the other; a device that fails does not lose the others' results."""
    from condmix.deploy.devices.adb import AdbDevice
    from condmix.deploy.devices.adb_own_binary import run_own_binary
    from condmix.deploy.devices.errors import DeviceError
    from condmix.deploy.devices.open_device import open_device
    from condmix.deploy.devices.ssh_own_binary import run_own_binary_by_ssh
    from condmix.deploy.devices.wheels import device_cache

    results: list[ToolResult] = []
    failures: dict[str, str] = {}
    for named in where.devices:
        device = open_device(named, device_cache(), where.options)
        try:
            for run in runs:
                if isinstance(device, AdbDevice):
                    results.append(run_own_binary(device, run, say=say))
                else:
                    results.append(run_own_binary_by_ssh(named.address, run, name=named.name, say=say))
        except DeviceError as error:
            failures[named.name] = str(error)
        finally:
            device.close()
    return ToolOutcome(command=tuple(command), results=tuple(results), failures=failures, notes=tuple(notes))
