"""The user's own benchmark_model or onnxruntime_perf_test on a phone: its figures, and what they leave unsaid."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import shlex
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from condmix.deploy.devices.adb import FOLDER, AdbDevice
from condmix.deploy.devices.adb_client import last_words
from condmix.deploy.devices.adb_tool_output import (
    BENCHMARK_MODEL,
    PERF_TEST,
    ToolFigures,
    ToolOutputError,
    parse_benchmark_model,
    parse_perf_test,
)
from condmix.deploy.devices.device import Say, silent
from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.devices.phone_conditions import conditions
from condmix.deploy.devices.phone_cores import choose_cores
from condmix.deploy.devices.phone_install import PARTIAL
from condmix.deploy.devices.phone_report import EXPERIMENTAL
from condmix.deploy.metadata import condmix_version

SCHEMA_VERSION = 1
KIND = "condmix-tool-latency"
_SUFFIXES = {BENCHMARK_MODEL: ".tflite", PERF_TEST: ".onnx"}
_PUSH_SECONDS, _RUN_SECONDS = 600.0, 1800.0
_LACKING = (
    "outputs were not compared with anything, and inputs were random: nothing is verified",
    "there are no samples: no interval, no noise floor, no ratio, and nobody can compute them again",
    "it ran alone, not in turns with a second file or with itself",
)
_LACKING_OF = {
    BENCHMARK_MODEL: ("older versions print neither median nor percentiles: the mean is the headline",),
    PERF_TEST: ("its percentiles are printed however few runs there are",),
}


@dataclass(frozen=True, kw_only=True)
class ToolResult:
    """One file in the user's tool. sha256: of file and tool. section: the phone, as in other reports.

    cores: it was held to; empty when that was not possible. lacking: what a report of condmix bench would have.
    """

    tool: str
    tool_sha256: str
    file: Path
    sha256: str
    size_bytes: int
    threads: int
    cores: tuple[int, ...]
    command: str
    created: str
    figures: ToolFigures
    lacking: tuple[str, ...]
    phone: dict[str, object]
    output: str

    def first_line(self) -> str:
        """`UNVERIFIED: reason`, as of other reports."""
        return f"UNVERIFIED: figures of {self.tool}, whose outputs nobody looked at; {EXPERIMENTAL}"

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON, with `schema_version` and `kind`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": KIND,
            "condmix_version": condmix_version(),
            "first_line": self.first_line(),
            "created": self.created,
            "tool": self.tool,
            "tool_sha256": self.tool_sha256,
            "file": self.file.as_posix(),
            "sha256": self.sha256,
            "size_bytes": self.size_bytes,
            "threads": self.threads,
            "cores": list(self.cores),
            "command": self.command,
            "figures": self.figures.to_dict(),
            "lacking": list(self.lacking),
            "phone": self.phone,
            "output": self.output,
        }


def run_own_binary(
    device: AdbDevice,
    binary: Path,
    file: Path,
    *,
    threads: int = 1,
    runs: int = 100,
    libraries: Sequence[Path] = (),
    arguments: Sequence[str] = (),
    say: Say = silent,
    stop: threading.Event | None = None,
) -> ToolResult:
    """What the tool printed for that file; nothing of it is left on the phone. Raises DeviceError.

    binary: benchmark_model for .tflite, onnxruntime_perf_test for .onnx, known by its name; built for the phone.
    libraries: that it needs beside it, such as libonnxruntime.so. arguments: more of the tool's own.
    """
    tool = _tool_of(device, binary, file)
    client, phone = device.client, device.phone
    cores = choose_cores(phone.cores, device.settings.cores, threads, device=device.name)
    place = FOLDER / f"{PARTIAL}{secrets.token_hex(4)}"
    remove = f"rm -rf {place}"
    device.guard.remember(remove)
    try:
        client.demand(f"mkdir -m 700 {place}", step="push", next_step="Free space on /data of the phone.")
        for one in (binary, file, *libraries):
            say(f"{device.name}: bringing {one.name}")
            _push(device, one, place / one.name)
        pinned = bool(cores) and client.shell("command -v taskset", step="probe").code == 0
        command = _command(tool, binary.name, file.name, threads, runs, arguments)
        if pinned:
            command = f"taskset {sum(1 << core for core in cores):x} {command}"
        script = f"cd {place} && chmod 700 {shlex.quote(binary.name)} && LD_LIBRARY_PATH={place} {command} 2>&1"
        with conditions(client, device.guard, device.settings, say=say, stop=stop) as found:
            say(f"{device.name}: {tool} runs")
            done = client.shell(script, step="measure", timeout_seconds=_RUN_SECONDS)
    finally:
        with contextlib.suppress(DeviceError):
            client.shell(remove, step="restore")
    figures = _figures(device, tool, done.code, done.stdout)
    return ToolResult(
        tool=tool,
        tool_sha256=_sha256(binary),
        file=file,
        sha256=_sha256(file),
        size_bytes=file.stat().st_size,
        threads=threads,
        cores=cores if pinned else (),
        command=command,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        figures=figures,
        lacking=(*_LACKING, *_LACKING_OF[tool], *(() if pinned else ("the cores it ran on were not chosen",))),
        phone={
            "experimental": True,
            "facts": phone.to_dict(),
            "before": found.before.to_dict(),
            "cooling": found.cooling.to_dict(),
            "fixed_performance": found.performance,
        },
        output=done.stdout,
    )


def _tool_of(device: AdbDevice, binary: Path, file: Path) -> str:
    tool = next((one for one in _SUFFIXES if one.removeprefix("onnxruntime_") in binary.name), None)
    if tool is None:
        expected = " or ".join(_SUFFIXES)
        found = f"{binary.name!r} is no tool whose output is known"
        raise DeviceError(device.name, "measure", found, "Name the file after the tool that it is.", expected=expected)
    for one, what in ((binary, "the tool"), (file, "the model")):
        if not one.is_file():
            raise DeviceError(device.name, "push", f"{what} {str(one)!r} is not there", "Correct the path.")
    if file.suffix.lower() != _SUFFIXES[tool]:
        found = f"{tool} does not read {file.name!r}"
        raise DeviceError(
            device.name, "measure", found, "Give it the other model.", expected=f"a {_SUFFIXES[tool]} file"
        )
    return tool


def _push(device: AdbDevice, source: Path, target: PurePosixPath) -> None:
    client = device.client
    client.push(source, target, step="push", timeout_seconds=_PUSH_SECONDS)
    counted = client.shell(f"sha256sum {shlex.quote(str(target))}", step="push")
    if counted.code == 0 and counted.stdout.split()[:1] != [_sha256(source)]:
        found = f"{source.name} arrived with another content than was sent"
        raise DeviceError(device.name, "push", found, "Run it again; nothing is left on the phone.")


def _command(tool: str, binary: str, file: str, threads: int, runs: int, more: Sequence[str]) -> str:
    if tool == BENCHMARK_MODEL:
        words = [f"--graph={file}", f"--num_threads={threads}", f"--num_runs={runs}", "--warmup_runs=5", *more]
    else:
        words = ["-e", "cpu", "-m", "times", "-r", str(runs), "-x", str(threads), "-I", "-s", *more, file]
    return shlex.join([f"./{binary}", *words])


def _figures(device: AdbDevice, tool: str, code: int, output: str) -> ToolFigures:
    if code != 0:
        found = f"{tool} ended with exit code {code}: {last_words(output) or 'without a word'}"
        raise DeviceError(device.name, "measure", found, "Check that it was built for this phone, and what it needs.")
    try:
        return parse_benchmark_model(output) if tool == BENCHMARK_MODEL else parse_perf_test(output)
    except ToolOutputError as error:
        found = f"the output of {tool} is not understood: {error}; it ends with {last_words(output)!r}"
        raise DeviceError(device.name, "measure", found, "Use a version of the tool that prints it.") from error


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
