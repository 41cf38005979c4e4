"""Converts a saved `torch.export` program with litert-torch, all of that converter's options at their defaults.

A program of its own, run by the Python of the converter's environment, which has torch and litert-torch and no condmix:

    python -I litert_torch_worker.py PROGRAM.pt2 OUTPUT.tflite REPORT.json
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import sys
import time
from pathlib import Path

PACKAGES = ("litert-torch", "litert-converter", "torch")


def main(arguments: list[str]) -> int:
    """OUTPUT holds the flatbuffer and REPORT what it cost: wall and CPU seconds of tracing, lowering and writing."""
    import torch

    program_path, output_path, report_path = map(Path, arguments)
    litert_torch = importlib.import_module("litert_torch")
    torch.set_num_threads(1)
    program = torch.export.load(program_path)
    arguments_of_call, _ = program.example_inputs
    module = program.module()
    wall_start, cpu_start = time.perf_counter(), time.process_time()
    litert_torch.convert(module, arguments_of_call).export(str(output_path))
    report = {
        "wall_seconds": time.perf_counter() - wall_start,
        "cpu_seconds": time.process_time() - cpu_start,
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
    }
    report_path.write_text(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
