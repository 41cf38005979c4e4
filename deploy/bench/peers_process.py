"""Starting the workers of peers in their environments, and ours beside them, bound to a core where that is asked."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from condmix.runtime.piped_process import PipedProcess

_FOLDERS = (Path(__file__).parents[2] / "runtime", Path(__file__).parents[1])
LONGEST_REASON = 300
_OPENMP = "OMP_NUM_THREADS"
# The environment of a peer has no condmix: two of its folders are shown to it, without what their __init__ imports.
_PROGRAM = """
import runpy, sys, types
runtime, deploy, module, *arguments = sys.argv[1:]
for name, folder in (("condmix", None), ("condmix.runtime", runtime), ("condmix.deploy", deploy)):
    package = sys.modules[name] = types.ModuleType(name)
    package.__path__ = [] if folder is None else [folder]
sys.argv = [module, *arguments]
runpy.run_module(module, run_name="__main__", alter_sys=False)
"""


class ConversionFailedError(Exception):
    """A tool ended without a file, or not in time; the text is the line for its row. Never leaves this folder."""


@dataclass(frozen=True, kw_only=True)
class Converted:
    """What a conversion took, without the start of Python."""

    wall_seconds: float
    cpu_seconds: float
    versions: Mapping[str, str] = field(default_factory=dict)


def worker_command(python: Path, peer: str, *arguments: str) -> list[str]:
    """What starts a peer's worker, isolated: nothing of the user's, nor of the current folder, is imported."""
    module = f"condmix.deploy.bench.peers_{peer.replace('-', '_')}"
    return [str(python), "-I", "-B", "-c", _PROGRAM, *map(str, _FOLDERS), module, *arguments]


def run_conversion(command: Sequence[str], report: Path, *, timeout_seconds: float) -> Converted:
    """The command wrote its file and that report. Raises ConversionFailedError."""
    environment = {**os.environ, _OPENMP: "1"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment, timeout=timeout_seconds
        )
    except subprocess.TimeoutExpired as error:
        text = f"not converted within {timeout_seconds:g} s"
        raise ConversionFailedError(text) from error
    except OSError as error:
        raise ConversionFailedError(str(error)) from error
    if done.returncode != 0 or not report.is_file():
        text = f"not converted: {last_line(done.stderr or done.stdout) or f'exit code {done.returncode}'}"
        raise ConversionFailedError(text)
    return Converted(**json.loads(report.read_text()))


def last_line(text: str) -> str:
    """What a program complained of at its end, where tracebacks have the reason; empty where it said nothing."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:LONGEST_REASON] if lines else ""


def start_bound(command: Sequence[str], core: int | None, threads: int) -> PipedProcess:
    """The worker, on that core alone from its first instruction on, or wherever the system puts it.

    threads: for engines that compute with OpenMP, whose word for it they read when they start.
    Raises WorkerEndedError when it does not start.
    """
    with _bound(core, threads):
        return PipedProcess(command)


@contextlib.contextmanager
def _bound(core: int | None, threads: int) -> Iterator[None]:
    """Processes inherit the cores and the variables of the one that starts them."""
    before = os.sched_getaffinity(0) if hasattr(os, "sched_setaffinity") else None
    variable = os.environ.get(_OPENMP)
    try:
        if before is not None and core is not None:
            os.sched_setaffinity(0, {core})
        os.environ[_OPENMP] = str(threads)
        yield
    finally:
        if before is not None:
            os.sched_setaffinity(0, before)
        if variable is None:
            del os.environ[_OPENMP]
        else:
            os.environ[_OPENMP] = variable


def core_for_one_thread() -> int | None:
    """The last that this process may use; None where the system does not tell."""
    return max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
