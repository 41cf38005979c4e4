"""int8 files in a real browser: right on WASM with one and two threads and on WebGPU, or refused in words."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from condmix.deploy.measure.plan import BenchPlan, BenchRequest, make_plan
from condmix.models import digits
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.settings import BenchSettings
from tests.deploy.browser.chromium import NO_GPU, SOFTWARE_GPU, measured

pytestmark = pytest.mark.device
SHORTEST = BenchSettings(
    warmup_runs=1, warmup_seconds=0.0, minimum_runs=4, minimum_seconds=0.0, maximum_seconds=120.0, block=2, openings=1
)
_ENDS = (
    "LiteRT.js takes float32, int32, uint8 at the ends of a file only, this one has int8: "
    "export it with float32 inputs and outputs"
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with int8 files of two networks, trained a little and calibrated by the commands."""
    folder = tmp_path_factory.mktemp("int8")
    np.save(folder / "images.npy", digits.load().train_images[:64])
    int8 = ["--int8", "--calib", str(folder / "images.npy"), "--improve", "none", "-q"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for words in (
        ["train", "condconv_digits", "--epochs", "2", "-o", "cond.pt", "-q"],
        ["train", "mixnet_digits", "--epochs", "1", "-o", "mix.pt", "-q"],
        ["export", "cond.pt", "--format", "onnx,tflite", "-o", "full.onnx", *int8],
        ["export", "cond.pt", "--format", "tflite", "--int8-mode", "dynamic", "-o", "dynamic.tflite", *int8],
        ["export", "mix.pt", "--format", "tflite", "--io-dtype", "int8", "-o", "ends.tflite", *int8],
    ):
        command = [sys.executable, "-m", "condmix.deploy", *words]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


def plan_of(folder: Path, *names: str) -> BenchPlan:
    """With PyTorch's outputs, and the limits of int8 files."""
    return make_plan(BenchRequest(files=tuple(folder / name for name in names)))


def assert_right(report: BenchReport, *names: str) -> None:
    """Each of these computes there what its file says, as near to PyTorch as int8 must be."""
    for name in names:
        one = report.subject(name)
        assert one.failure is None, f"{name}: {one.failure}"
        assert one.agreement is not None
        sys.stdout.write(f"{name}: {one.agreement.detail}\n")
        assert one.agreement.passed, f"{name}: {one.agreement.detail}"


def test_both_engines_on_one_and_two_threads(files: Path, engines: dict[str, Path], tmp_path: Path) -> None:
    plan = plan_of(files, "full.onnx", "full_int8.tflite", "dynamic.tflite", "ends.tflite")
    report = measured(
        plan.subjects, SHORTEST, tmp_path, NO_GPU, references=plan.references, assets=engines, webgpu=False
    )
    kinds = ("full", "full_int8", "dynamic")
    assert_right(report, *(f"{kind}@{way}" for kind in kinds for way in ("wasm", "2t@wasm")))
    # Threads change no sum of integers.
    for kind in ("full", "full_int8"):
        one, two = report.subject(f"{kind}@wasm").agreement, report.subject(f"{kind}@2t@wasm").agreement
        assert one is not None
        assert two is not None
        assert one.max_abs_difference == two.max_abs_difference
    missing = {name: one["reason"] for name, one in report.sections["missing"].items()}
    assert missing == {"ends@wasm": _ENDS, "ends@2t@wasm": _ENDS}


def test_both_engines_on_software_webgpu(files: Path, engines: dict[str, Path], tmp_path: Path) -> None:
    plan = plan_of(files, "full.onnx", "full_int8.tflite", "dynamic.tflite")
    report = measured(
        plan.subjects, SHORTEST, tmp_path, SOFTWARE_GPU, references=plan.references, assets=engines, all_cores=False
    )
    if "missing" in report.sections:
        pytest.skip(f"this Chromium finds no adapter for WebGPU: {report.sections['missing']}")
    assert_right(report, "full@webgpu", "full_int8@webgpu", "dynamic@webgpu")
    # A part of these files stays on WASM, which needs an engine that can wait for the graphics processor.
    subjects = report.sections["browser"]["subjects"]
    assert {subjects[name]["fully_accelerated"] for name in ("full_int8@webgpu", "dynamic@webgpu")} == {False}
