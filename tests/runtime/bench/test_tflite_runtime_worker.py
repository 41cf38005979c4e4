"""Subjects in tflite-runtime: the worker sees its own packages and this one, and is measured beside LiteRT."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from condmix.runtime.bench.reference import Limit, Reference
from condmix.runtime.bench.run import run_bench
from condmix.runtime.bench.settings import BenchSettings
from condmix.runtime.bench.subject import LITERT, TFLITE_RUNTIME, BenchSubject
from condmix.runtime.bench.tflite_runtime_worker import PYTHON, find_bench_python, start_with, tflite_runtime_command
from tests.runtime.tflite_files import DenseNet
from tests.runtime.tflite_sites import make_stand_in

NET = DenseNet()
# LiteRT's own interpreter, under the name that tflite-runtime stands under in such a worker.
REAL = """
import sys
sys.path.append({packages!r})
alias = sys.modules.pop("ai_edge_litert")
del sys.modules["ai_edge_litert.interpreter"]
from ai_edge_litert.interpreter import Interpreter, OpResolverType
sys.modules["ai_edge_litert"] = alias
"""
BRIEF = BenchSettings(
    warmup_runs=1, warmup_seconds=0.0, minimum_runs=30, minimum_seconds=0.0, block=1, openings=1, settling_runs=0
)
FITS = pytest.mark.skipif(sys.version_info[:2] != PYTHON, reason="the stand-in has the packages of this interpreter")


def subjects_of(folder: Path) -> list[BenchSubject]:
    """The same file in both engines."""
    path = folder / "dense.tflite"
    path.write_bytes(NET.to_tflite())
    return [
        BenchSubject(name="dense", file=path, engine=LITERT),
        BenchSubject(name="dense@tflite-runtime", file=path, engine=TFLITE_RUNTIME),
    ]


@FITS
def test_both_engines_in_one_run(tmp_path: Path):
    subjects = subjects_of(tmp_path)
    right = Reference(
        inputs={"images": NET.images}, outputs={"logits": np_tanh()}, outputs_are="numpy",
        limits={"dense.tflite": Limit(max_abs_difference=1e-4)},
    )  # fmt: skip
    start = start_with(make_stand_in(tmp_path / "site", REAL))
    report = run_bench(subjects, BRIEF, references={one.name: right for one in subjects}, start=start)
    older = report.subject("dense@tflite-runtime")
    assert older.failure is None
    assert older.engine_version == "2.14.0"
    assert report.subject("dense").engine_version != "2.14.0"
    assert older.agreement is not None
    assert older.agreement.passed
    assert report.ratio("dense@tflite-runtime", "dense").ratio is not None
    assert type(report).from_dict(report.to_dict()) == report


def np_tanh() -> np.ndarray:
    """What the net computes of its images."""
    return np.tanh(NET.hidden(NET.images)).astype(np.float32)


@FITS
def test_the_worker_sees_nothing_else(tmp_path: Path):
    site = make_stand_in(tmp_path / "site")
    (site / "tflite_runtime/__init__.py").write_text(
        "import sys\nsys.stderr.write(repr([one for one in sys.path if 'site-packages' in one]))\nraise SystemExit(3)\n"
    )
    done = subprocess.run(
        tflite_runtime_command(site, Path(sys.executable)), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (3, "[]")


def test_a_folder_without_the_packages_loses_the_subject_alone(tmp_path: Path):
    report = run_bench(subjects_of(tmp_path), BRIEF, start=start_with(tmp_path / "empty"))
    assert "No module named 'tflite_runtime'" in str(report.subject("dense@tflite-runtime").failure)
    assert report.subject("dense").failure is None


def test_its_interpreter_is_of_the_one_version_that_fits(tmp_path: Path):
    assert find_bench_python([None, str(tmp_path / "none")]) is None
    if sys.version_info[:2] == PYTHON:
        assert find_bench_python() == Path(sys.executable)
