"""The single-file runner, run with numpy and one engine alone: no condmix installed, another folder, no torch."""

import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from condmix.deploy.measure import runner_main
from condmix.deploy.measure.runner import runner_content, write_runner
from condmix.runtime.bench.reference import Limit, Reference, write_reference
from condmix.runtime.bench.report import read_report
from tests.runtime.conftest import build
from tests.runtime.tflite_files import DenseNet

WEIGHT = np.random.default_rng(3).standard_normal((4, 5)).astype(np.float32)
IMAGES = np.random.default_rng(4).standard_normal((3, 4)).astype(np.float32)
SHORT = ("--runs", "100", "--seconds", "0", "--warmup-seconds", "0", "--openings", "1")
PACKAGES = ("numpy", "numpy.libs", "onnxruntime")


def onnx_bytes() -> bytes:
    return build(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        inputs={"x": ["n", 4]},
        outputs={"y": ["n", 5]},
        constants={"w": WEIGHT},
    )


def reference(outputs: np.ndarray) -> Reference:
    limits = {"a.onnx": Limit(max_abs_difference=1e-5)}
    return Reference(inputs={"x": IMAGES}, outputs={"y": outputs}, outputs_are="numpy", limits=limits)


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as it lies on a device: the runner, a model, and site-packages without condmix."""
    folder = tmp_path_factory.mktemp("device")
    write_runner(folder / "condmix-runner.pyz")
    (folder / "a.onnx").write_bytes(onnx_bytes())
    site = folder / "site"
    site.mkdir()
    installed = Path(np.__file__).parents[1]
    for name in PACKAGES:
        if (installed / name).exists():  # numpy.libs: not on every system
            (site / name).symlink_to(installed / name)
    return folder


def command(device: Path, *arguments: str) -> list[str]:
    return [getattr(sys, "_base_executable", sys.executable), "-S", str(device / "condmix-runner.pyz"), *arguments]


def environment(device: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**kept, "PYTHONPATH": str(device / "site"), "OMP_NUM_THREADS": "1"}


def run(device: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(device, *arguments), cwd=folder, env=environment(device), capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip


def test_it_measures_checks_and_writes_its_report(device: Path, tmp_path: Path):
    (tmp_path / "a.onnx").write_bytes(onnx_bytes())
    write_reference(tmp_path / "a.reference.npz", reference(IMAGES @ WEIGHT))
    done = run(device, tmp_path, "a.onnx", "--threads", "1,2", *SHORT)
    assert (done.returncode, done.stderr) == (0, "")
    report = read_report(tmp_path / "report.json")
    lines = done.stdout.splitlines()
    assert lines[0] == report.verdict.first_line()
    assert lines[2].split("  ")[-2:] == ["peak MiB", "outputs"]
    assert [line.split("  ")[0] for line in lines[3:6]] == [
        "a.onnx (1 thread)", "a.onnx (2 threads)", "a.onnx (1 thread) (again)",
    ]  # fmt: skip
    assert all(line.endswith("right") for line in lines[3:6])
    assert lines[-1] == "every sample: report.json"
    assert report.subject("a.onnx (2 threads)").agreement.passed
    assert report.command[:2] == ("condmix-runner", "a.onnx")
    assert report.condmix_version[0].isdigit()
    assert report.subject("a.onnx (1 thread)").engine_version[0].isdigit()


def test_wrong_outputs_have_a_code_of_their_own(device: Path, tmp_path: Path):
    write_reference(tmp_path / "wrong.npz", reference(IMAGES @ WEIGHT + 1))
    done = run(device, tmp_path, str(device / "a.onnx"), "--reference", "wrong.npz", "--output", "r.json", *SHORT)
    assert done.returncode == 5
    assert done.stdout.startswith("UNVERIFIED: 'a.onnx' does not compute what its reference says: largest difference 1")
    assert (tmp_path / "r.json").is_file()


def test_help_needs_nothing_but_python_and_numpy(device: Path, tmp_path: Path):
    done = run(device, tmp_path, "--help")
    assert done.returncode == 0
    for word in ("FILE", "--threads", "--runs", "--seconds", "--reference", "--output"):
        assert word in done.stdout


def test_what_is_missing_or_not_understood_is_said_without_a_traceback(device: Path, tmp_path: Path):
    (tmp_path / "b.tflite").write_bytes(DenseNet().to_tflite())
    (tmp_path / "bad.npz").write_bytes(b"no archive")
    cases = (
        (("none.onnx",), 3, "'none.onnx' cannot be opened: there is no such file"),
        (("b.tflite",), 8, 'pip install "condmix[litert]"'),
        ((str(device / "a.onnx"), "--threads", "0"), 2, "argument --threads: invalid"),
        ((str(device / "a.onnx"), "--runs", "0"), 2, "minimum_runs must be at least 1"),
        ((str(device / "a.onnx"), "--reference", "bad.npz"), 3, "reference 'bad.npz'"),
        ((str(device / "a.onnx"), "--output", "no/folder.json"), 1, "'no/folder.json' cannot be written: No such file"),
    )
    for arguments, code, words in cases:
        done = run(device, tmp_path, *arguments)
        assert done.returncode == code, done.stderr
        assert words in done.stderr
        assert "Traceback" not in done.stderr


def test_ctrl_c_writes_what_there_is(device: Path, tmp_path: Path):
    arguments = (str(device / "a.onnx"), "--runs", "100000000", "--openings", "1")
    process = subprocess.Popen(
        command(device, *arguments), cwd=tmp_path, env=environment(device),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        deadline = time.monotonic() + 60
        while len(children.read_text().split()) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        workers = [int(text) for text in children.read_text().split()]
        time.sleep(2)  # past the warm-up of the last one
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, errors) == (130, "")
    report = read_report(tmp_path / "report.json")
    assert "interrupted by Ctrl-C" in report.interrupted
    assert len(report.subject("a.onnx").samples) > 0
    assert "interrupted by Ctrl-C" in output
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)


def test_the_archive_is_the_same_each_time_and_holds_the_runtime_and_little_more(tmp_path: Path):
    assert runner_content() == runner_content()
    write_runner(tmp_path / "r.pyz")
    assert os.access(tmp_path / "r.pyz", os.X_OK)
    with zipfile.ZipFile(tmp_path / "r.pyz") as archive:
        names = archive.namelist()
        assert archive.testzip() is None
    assert {"__main__.py", "condmix/__init__.py", "condmix/runtime/bench/run.py"} <= set(names)
    assert sorted(name for name in names if name.startswith("condmix/") and "/runtime/" not in name) == [
        "condmix/__init__.py", "condmix/deploy/__init__.py", "condmix/deploy/measure/__init__.py",
        "condmix/deploy/measure/runner_main.py",
    ]  # fmt: skip
    assert not [name for name in names if "__pycache__" in name]


def test_files_of_one_name_are_told_apart_and_one_given_twice_is_one(tmp_path: Path):
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.onnx").write_bytes(onnx_bytes())
    files = [tmp_path / "x/a.onnx", tmp_path / "y/a.onnx", tmp_path / "x/a.onnx"]
    assert [one.name for one in runner_main._subjects(files, (1,))] == [str(files[0]), str(files[1])]
