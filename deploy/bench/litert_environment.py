"""litert-torch, the converter we are measured against: too heavy for our environment, it runs in one of its own."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from condmix.deploy.bench.errors import ConverterFailedError, ConverterMissingError

FOLDER = Path(".venv-litert")
TORCH_VERSION = "2.13.0"
LITERT_TORCH_VERSION = "0.10.0"
WORKER = Path(__file__).with_name("litert_torch_worker.py")
QUANTIZER_WORKER = Path(__file__).with_name("ai_edge_quantizer_worker.py")


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """One network as litert-torch, or ai-edge-quantizer after it, wrote it."""

    content: bytes
    wall_seconds: float
    cpu_seconds: float
    """Tracing, lowering and writing; starting Python and importing the converter are not in it."""
    versions: Mapping[str, str]


def find_python(environment: Path) -> Path:
    """The interpreter of the environment, which has litert-torch in the expected version.

    Raises ConverterMissingError, with the commands that make the environment.
    """
    python = environment / "bin" / "python"
    if not python.is_file():
        raise ConverterMissingError(environment, f"no {python}", _steps(environment))
    program = "from importlib.metadata import version; print(version('litert-torch'))"
    done = subprocess.run([str(python), "-I", "-c", program], capture_output=True, text=True, check=False)
    found = done.stdout.strip()
    if done.returncode != 0:
        raise ConverterMissingError(environment, "a Python without litert-torch", _steps(environment))
    if found != LITERT_TORCH_VERSION:
        raise ConverterMissingError(
            environment, f"litert-torch {found} instead of {LITERT_TORCH_VERSION}", _steps(environment)
        )
    return python


def convert(python: Path, network: str, module: nn.Module, size: int, *, channels: int = 3) -> Conversion:
    """The network (eval mode) for one image of channels x size x size, as litert-torch writes it with its defaults.

    The network travels as a `torch.export` program: from it the converter writes the bytes that it writes from the
    module, and its environment needs nothing of ours. Raises ConverterFailedError.
    """
    with tempfile.TemporaryDirectory() as name:
        program_path, output_path, report_path = (
            Path(name) / leaf for leaf in ("program.pt2", "network.tflite", "report.json")
        )
        with warnings.catch_warnings():
            # torch's own export code warns about its tree utilities; nothing a user could act on.
            warnings.simplefilter("ignore")
            program = torch.export.export(module, (torch.zeros(1, channels, size, size),))
            torch.export.save(program, program_path)
        return _run(python, WORKER, (program_path,), output_path, report_path, "litert-torch", network)


def quantize(python: Path, network: str, float_content: bytes, images_nchw: np.ndarray) -> Conversion:
    """litert-torch's float file after ai-edge-quantizer's static int8 recipe. Raises ConverterFailedError."""
    with tempfile.TemporaryDirectory() as name:
        float_path, images_path, output_path, report_path = (
            Path(name) / leaf for leaf in ("float.tflite", "images.npy", "int8.tflite", "report.json")
        )
        float_path.write_bytes(float_content)
        np.save(images_path, images_nchw)
        inputs = (float_path, images_path)
        return _run(python, QUANTIZER_WORKER, inputs, output_path, report_path, "ai-edge-quantizer", network)


def _run(
    python: Path,
    worker: Path,
    inputs: tuple[Path, ...],
    output_path: Path,
    report_path: Path,
    tool: str,
    network: str,
) -> Conversion:
    # Isolated: otherwise the modules beside the worker would stand before installed packages of their names.
    command = [str(python), "-I", str(worker), *map(str, inputs), str(output_path), str(report_path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0 or not report_path.is_file():
        raise ConverterFailedError(network, done.returncode, done.stderr or done.stdout, tool=tool)
    report = json.loads(report_path.read_text())
    return Conversion(content=output_path.read_bytes(), **report)


def _steps(environment: Path) -> tuple[str, ...]:
    python = environment / "bin" / "python"
    return (
        f"python3 -m venv {environment}",
        f"{python} -m pip install torch=={TORCH_VERSION}",
        f"{python} -m pip install litert-torch=={LITERT_TORCH_VERSION}",
    )
