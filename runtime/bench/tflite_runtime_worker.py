"""Starting the worker of a subject in tflite-runtime: this package, between the packages of a folder of its own.

tflite-runtime wants numpy below 2 and an older Python, so its worker sees the standard library, that folder and
condmix.runtime, and nothing else; there tflite-runtime stands under the name of LiteRT, whose interpreter it has.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from condmix.runtime.bench.subject import TFLITE_RUNTIME, BenchSubject
from condmix.runtime.bench.worker_process import StartWorker, Worker, start_worker
from condmix.runtime.piped_process import PipedProcess
from condmix.runtime.tflite_environment import python_problem

PYTHON = (3, 11)
"""The oldest that this package runs in, and the newest that tflite-runtime has wheels for."""
# What `site` and `runtime` are is appended: an installed package, an editable one and an archive lie differently.
_PROGRAM = """
import importlib.util, sys, types
site, runtime = sys.argv[1:]
sys.path.insert(0, site)
import tflite_runtime
sys.modules["ai_edge_litert"] = tflite_runtime
condmix = sys.modules["condmix"] = types.ModuleType("condmix")
condmix.__path__ = []
spec = importlib.util.spec_from_file_location(
    "condmix.runtime", runtime + "/__init__.py", submodule_search_locations=[runtime]
)
condmix.runtime = sys.modules["condmix.runtime"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(condmix.runtime)
from condmix.runtime.bench.worker import main
main()
"""


def start_with(site: Path | None) -> StartWorker:
    """What starts every subject in its engine. site: the packages of tflite-runtime; None where nobody needs them."""

    def start(subject: BenchSubject) -> Worker:
        if subject.engine != TFLITE_RUNTIME or site is None:
            return start_worker(subject)
        return PipedProcess(tflite_runtime_command(site, subject.python or find_bench_python() or Path(sys.executable)))

    return start


def tflite_runtime_command(site: Path, python: Path) -> list[str]:
    """What starts a worker of that folder. Its interpreter is as old as tflite-runtime asks for."""
    runtime = Path(__file__).parents[1]
    # -I -S: only the standard library and what the program adds; a numpy of the user's own is out of sight.
    return [str(python), "-I", "-S", "-B", "-c", _PROGRAM, str(site.absolute()), str(runtime)]


def find_bench_python(candidates: Sequence[str | None] | None = None) -> Path | None:
    """This interpreter where it is of that version, else one on the PATH; None without any."""
    name = "python{}.{}".format(*PYTHON)
    own = sys.executable if sys.version_info[:2] == PYTHON else None
    for candidate in (own, shutil.which(name)) if candidates is None else candidates:
        if candidate and python_problem(Path(candidate)) is None:
            return Path(candidate)
    return None
