"""The environments of other people's converters: found or refused with the way to make them, called, quoted."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn

from condmix.deploy.bench.errors import ConverterFailedError, ConverterMissingError
from condmix.deploy.bench.litert_environment import (
    LITERT_TORCH_VERSION,
    QUANTIZER_WORKER,
    WORKER,
    Conversion,
    convert,
    find_python,
    quantize,
)
from condmix.deploy.bench.tflite import main

SIZE = 12


class _Small(nn.Module):
    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.convolution = nn.Conv2d(3, 4, 3, stride=2, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.convolution(x).mean((2, 3))


def _environment(folder: Path, script: str) -> Path:
    """A folder whose bin/python is a shell script."""
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    return folder


# The environment of the converter


def test_without_the_environment_the_error_says_how_to_make_it(tmp_path: Path) -> None:
    folder = tmp_path / "absent"
    with pytest.raises(ConverterMissingError) as caught:
        find_python(folder)
    assert str(caught.value) == (
        f"{folder}: expected an environment with litert-torch, found no {folder}/bin/python. `make bench-tflite` makes "
        "it; by hand (about 2 GB):\n"
        f"    python3 -m venv {folder}\n"
        f"    {folder}/bin/python -m pip install torch==2.13.0\n"
        f"    {folder}/bin/python -m pip install litert-torch==0.10.0"
    )


def test_an_environment_without_the_converter_is_named(tmp_path: Path) -> None:
    _environment(tmp_path, f'exec {sys.executable} "$@"')
    with pytest.raises(ConverterMissingError, match="found a Python without litert-torch"):
        find_python(tmp_path)


def test_another_version_of_the_converter_is_refused(tmp_path: Path) -> None:
    _environment(tmp_path, "echo 0.9.1")
    with pytest.raises(ConverterMissingError, match=r"found litert-torch 0\.9\.1 instead of 0\.10\.0"):
        find_python(tmp_path)


def test_an_environment_with_the_converter_is_found(tmp_path: Path) -> None:
    _environment(tmp_path, f"echo {LITERT_TORCH_VERSION}")
    assert find_python(tmp_path) == tmp_path / "bin" / "python"


def test_the_command_line_ends_with_code_8_and_writes_nothing(tmp_path: Path) -> None:
    output, folder = tmp_path / "output", tmp_path / "absent"
    done = CliRunner().invoke(main, [str(output), "--litert-environment", str(folder)])
    assert done.exit_code == 8
    assert done.output.startswith(f"condmix: {folder}: expected an environment with litert-torch, found no ")
    assert not output.exists()


# The worker


@pytest.mark.parametrize(("worker", "needed"), [(WORKER, {"torch"}), (QUANTIZER_WORKER, set())])
def test_the_workers_need_nothing_of_ours(worker: Path, needed: set[str]) -> None:
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(worker.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    assert imported - sys.stdlib_module_names == needed


def test_a_program_goes_out_and_a_file_comes_back(tmp_path: Path) -> None:
    """The script stands for the converter: it is called isolated, with a program that torch can load."""
    report = '{"wall_seconds": 2.0, "cpu_seconds": 1.5, "versions": {"litert-torch": "0.10.0"}}'
    checks = f'[ "$1 $2 $OMP_NUM_THREADS" = "-I {WORKER} 1" ] || exit 7'
    environment = _environment(
        tmp_path, f'{checks}\ncp "$3" {tmp_path}/kept.pt2\nprintf TFL3 > "$4"\necho \'{report}\' > "$5"'
    )
    module = _Small().eval()
    conversion = convert(environment / "bin" / "python", "small", module, SIZE)
    assert conversion == Conversion(
        content=b"TFL3", wall_seconds=2.0, cpu_seconds=1.5, versions={"litert-torch": "0.10.0"}
    )
    sent = torch.export.load(tmp_path / "kept.pt2").module()
    image = torch.ones(1, 3, SIZE, SIZE)
    assert torch.equal(sent(image), module(image))


def test_a_converter_that_fails_is_quoted(tmp_path: Path) -> None:
    environment = _environment(tmp_path, "for line in 1 2 3 4 5 6 7 8 9; do echo line $line >&2; done; exit 3")
    with pytest.raises(ConverterFailedError) as caught:
        convert(environment / "bin" / "python", "small", _Small().eval(), SIZE)
    lines = "\n".join(f"    line {number}" for number in range(2, 10))
    assert str(caught.value) == (
        f"small: expected a file from litert-torch, found exit status 3. Its last words:\n{lines}\n"
        "  Check the environment's versions, or measure the other networks (--network)."
    )


def test_a_float_file_and_images_go_to_the_quantizer(tmp_path: Path) -> None:
    report = '{"wall_seconds": 2.0, "cpu_seconds": 1.5, "versions": {"ai-edge-quantizer": "0.10.0"}}'
    checks = f'[ "$1 $2" = "-I {QUANTIZER_WORKER}" ] || exit 7'
    keep = f'cp "$3" {tmp_path}/kept.tflite; cp "$4" {tmp_path}/kept.npy'
    environment = _environment(tmp_path, f'{checks}\n{keep}\nprintf int8 > "$5"\necho \'{report}\' > "$6"')
    images = np.ones((2, 3, 4, 4), np.float32)
    conversion = quantize(environment / "bin" / "python", "small", b"float", images)
    assert conversion.content == b"int8"
    assert (tmp_path / "kept.tflite").read_bytes() == b"float"
    assert np.array_equal(np.load(tmp_path / "kept.npy"), images)


def test_a_quantizer_that_fails_is_quoted_by_its_name(tmp_path: Path) -> None:
    environment = _environment(tmp_path, "echo no constant kernel >&2; exit 1")
    with pytest.raises(ConverterFailedError, match="expected a file from ai-edge-quantizer") as caught:
        quantize(environment / "bin" / "python", "small", b"float", np.ones((1, 3, 4, 4), np.float32))
    assert caught.value.last_line == "no constant kernel"


def test_a_converter_that_ends_well_without_a_file_failed_too(tmp_path: Path) -> None:
    environment = _environment(tmp_path, "exit 0")
    with pytest.raises(ConverterFailedError, match="exit status 0"):
        convert(environment / "bin" / "python", "small", _Small().eval(), SIZE)
