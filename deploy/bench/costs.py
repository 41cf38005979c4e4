"""What an export costs its user: seconds and memory of whole processes, and the import of condmix.runtime."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

STOCK_PROGRAM = """
import sys, warnings, torch
from condmix.models import checkpoint
network = checkpoint.load(sys.argv[1])
warnings.simplefilter("ignore")
channels, height, width = network.input_size
program = torch.onnx.export(network.module, (torch.zeros(1, channels, height, width),), dynamo=True, verbose=False)
program.save(sys.argv[2])
"""


@dataclass(frozen=True, kw_only=True)
class ProcessCost:
    """One process from start to end."""

    seconds: float
    peak_bytes: int


def run_process(command: list[str]) -> ProcessCost:
    """Run a command to its end. Raises CalledProcessError when it fails."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command)
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return ProcessCost(seconds=seconds, peak_bytes=usage.ru_maxrss * unit)


def export_costs(checkpoint: Path, folder: Path, rounds: int) -> dict[str, list[ProcessCost]]:
    """Loading and exporting the same checkpoint by torch alone, and by condmix with verification, in turn."""
    stock = [sys.executable, "-c", STOCK_PROGRAM, str(checkpoint), str(folder / "stock.onnx")]
    ours = [sys.executable, "-m", "condmix.deploy", "export", str(checkpoint)]
    ours += ["-o", str(folder / "condmix.onnx"), "--overwrite", "--quiet"]
    costs: dict[str, list[ProcessCost]] = {"torch.onnx.export": [], "condmix export": []}
    for _ in range(rounds):
        costs["torch.onnx.export"].append(run_process(stock))
        costs["condmix export"].append(run_process(ours))
    return costs


def import_seconds(rounds: int) -> dict[str, float]:
    """Median seconds of `import condmix.runtime` with all its modules, of numpy alone, and of an empty interpreter."""
    modules = sorted(path.stem for path in Path(__file__).parents[2].joinpath("runtime").glob("[a-z]*.py"))
    programs = {
        "empty interpreter": "pass",
        "import numpy": "import numpy",
        "import condmix.runtime": "import condmix.runtime",
        "all of condmix.runtime": "; ".join(f"import condmix.runtime.{name}" for name in modules),
    }
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, program in programs.items():
            seconds[name].append(run_process([sys.executable, "-c", program]).seconds)
    return {name: statistics.median(values) for name, values in seconds.items()}
