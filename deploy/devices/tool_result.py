"""What the user's own benchmark_model or onnxruntime_perf_test said of one file on one device, and left unsaid."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from condmix.deploy.devices.adb_client import last_words
from condmix.deploy.devices.adb_tool_output import (
    BENCHMARK_MODEL,
    PERF_TEST,
    ToolFigures,
    ToolOutputError,
    parse_benchmark_model,
    parse_perf_test,
)
from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.metadata import condmix_version

SCHEMA_VERSION = 1
KIND = "condmix-tool-latency"
SUFFIXES: Mapping[str, str] = {BENCHMARK_MODEL: ".tflite", PERF_TEST: ".onnx"}
LACKING = (
    "outputs were not compared with anything, and inputs were random: nothing is verified",
    "there are no samples: no interval, no noise floor, no ratio, and nobody can compute them again",
    "it ran alone, not in turns with a second file or with itself",
)
_LACKING_OF = {
    BENCHMARK_MODEL: ("older versions print neither median nor percentiles: the mean is the headline",),
    PERF_TEST: ("its percentiles are printed however few runs there are",),
}
_EMULATED = "emulated CPU, every figure is withheld, since it says nothing about a real one"


@dataclass(frozen=True, kw_only=True)
class ToolRun:
    """What is asked of a tool. binary: known by its name, built for the device. file: the model.

    libraries: that it needs beside it, such as libonnxruntime.so. arguments: more of the tool's own.
    """

    binary: Path
    file: Path
    threads: int = 1
    runs: int = 100
    libraries: tuple[Path, ...] = ()
    arguments: tuple[str, ...] = ()

    @property
    def brought(self) -> tuple[Path, ...]:
        """All that lies in one folder of the device while the tool runs."""
        return self.binary, self.file, *self.libraries

    @property
    def tool(self) -> str | None:
        """Which tool it is; None for one whose output is not known."""
        return tool_named(self.binary)

    def command(self) -> str:
        """The line for a shell in that folder."""
        if self.tool == BENCHMARK_MODEL:
            words = [f"--graph={self.file.name}", f"--num_threads={self.threads}", f"--num_runs={self.runs}"]
            words += ["--warmup_runs=5", *self.arguments]
        else:
            words = ["-e", "cpu", "-m", "times", "-r", str(self.runs), "-x", str(self.threads), "-I", "-s"]
            words += [*self.arguments, self.file.name]
        return shlex.join([f"./{self.binary.name}", *words])

    def check(self, device: str) -> str:
        """The tool. Raises DeviceError where it is none, a file is not there, or the tool does not read the model."""
        tool = self.tool
        if tool is None:
            expected = " or ".join(SUFFIXES)
            found = f"{self.binary.name!r} is no tool whose output is known"
            raise DeviceError(device, "measure", found, "Name the file after the tool that it is.", expected=expected)
        whats = ("the tool", "the model", *["the library"] * len(self.libraries))
        for one, what in zip(self.brought, whats, strict=True):
            if not one.is_file():
                raise DeviceError(device, "push", f"{what} {str(one)!r} is not there", "Correct the path.")
        names = [one.name for one in self.brought]
        if twice := sorted({one for one in names if names.count(one) > 1}):
            found = f"two files have the name {', '.join(map(repr, twice))}, and all lie in one folder there"
            raise DeviceError(device, "push", found, "Rename one.")
        if self.file.suffix.lower() != SUFFIXES[tool]:
            found, wanted = f"{tool} does not read {self.file.name!r}", f"a {SUFFIXES[tool]} file"
            raise DeviceError(device, "measure", found, "Give it the other model.", expected=wanted)
        return tool


@dataclass(frozen=True, kw_only=True)
class ToolResult:
    """One file in the user's tool. sha256: of file and tool. sections: the device, as in other reports.

    device: as it was named. cores: it was held to; empty when that was not possible.
    lacking: what a report of condmix bench would have. caution: belongs to the first line; None without one.
    emulated: then there is no figure, and no output, in which there would be some.
    """

    device: str
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
    caution: str | None
    emulated: bool
    sections: Mapping[str, object]
    output: str

    def first_line(self) -> str:
        """`UNVERIFIED: reason`, or `EMULATED: reason`, as of other reports."""
        said = f"UNVERIFIED: figures of {self.tool}, whose outputs nobody looked at"
        if self.emulated:
            said = f"EMULATED: {self.tool} ran on an {_EMULATED}"
        return said if self.caution is None else f"{said}; {self.caution}"

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON, with `schema_version` and `kind`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": KIND,
            "condmix_version": condmix_version(),
            "first_line": self.first_line(),
            "created": self.created,
            "device": self.device,
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
            "emulated": self.emulated,
            "sections": dict(self.sections),
            "output": self.output,
        }


def tool_named(binary: Path) -> str | None:
    """The tool that a file of this name is, such as android_arm64_benchmark_model; None for another."""
    return next((one for one in SUFFIXES if one.removeprefix("onnxruntime_") in binary.name), None)


def tool_result(
    run: ToolRun,
    *,
    device: str,
    command: str,
    code: int,
    output: str,
    cores: Sequence[int] = (),
    lacking: Sequence[str] = (),
    caution: str | None = None,
    emulated: bool = False,
    sections: Mapping[str, object],
) -> ToolResult:
    """The result of a tool that ended with `code` and printed `output`. Raises DeviceError for no result."""
    tool = run.check(device)
    figures = _figures(device, tool, code, output)
    return ToolResult(
        device=device,
        tool=tool,
        tool_sha256=sha256_of(run.binary),
        file=run.file,
        sha256=sha256_of(run.file),
        size_bytes=run.file.stat().st_size,
        threads=run.threads,
        cores=tuple(cores),
        command=command,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        figures=ToolFigures() if emulated else figures,
        lacking=(*LACKING, *_LACKING_OF[tool], *lacking),
        caution=caution,
        emulated=emulated,
        sections=sections,
        output="" if emulated else output,
    )


def of_another_cpu(machine: str, kernel: str | None) -> bool:
    """Whether programs of `machine` run on a kernel of another family of processors, which is emulation.

    kernel: of /proc/sys/kernel/arch; None where it does not tell.
    """
    desktop = ("x86_64", "i686", "amd64")
    return bool(kernel) and (kernel in desktop) != (machine in desktop)


def sha256_of(path: Path) -> str:
    """Of the content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _figures(device: str, tool: str, code: int, output: str) -> ToolFigures:
    if code != 0:
        found = f"{tool} ended with exit code {code}: {last_words(output) or 'without a word'}"
        raise DeviceError(device, "measure", found, "Check that it was built for this device, and what it needs.")
    try:
        return parse_benchmark_model(output) if tool == BENCHMARK_MODEL else parse_perf_test(output)
    except ToolOutputError as error:
        found = f"the output of {tool} is not understood: {error}; it ends with {last_words(output)!r}"
        raise DeviceError(device, "measure", found, "Use a version of the tool that prints it.") from error
