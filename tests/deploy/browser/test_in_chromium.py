"""The page in a real browser, headless: both engines on WASM with one and two threads, and on WebGPU in software."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from condmix.deploy.browser.address import LOOPBACK, Address, own_address
from condmix.deploy.browser.errors import BrowserError
from condmix.deploy.browser.run import run_in_browser
from condmix.runtime.bench.reference import find_reference, read_reference
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.settings import BenchSettings
from condmix.runtime.bench.subject import BenchSubject
from condmix.runtime.bench.verdict import Judgement
from tests.deploy.browser.chromium import CHROMIUM, FLAGS, NO_GPU, SOFTWARE_GPU, measured

pytestmark = pytest.mark.device

SHORT = BenchSettings(
    warmup_runs=2, warmup_seconds=0.0, minimum_runs=100, minimum_seconds=0.0, maximum_seconds=120.0, openings=1
)
SHORTEST = BenchSettings(
    warmup_runs=1, warmup_seconds=0.0, minimum_runs=4, minimum_seconds=0.0, maximum_seconds=120.0, block=2, openings=1
)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a digits network, trained a little and exported by the commands."""
    folder = tmp_path_factory.mktemp("digits")
    condmix = [sys.executable, "-m", "condmix.deploy"]
    checkpoint = str(folder / "digits.pt")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for arguments in (
        ["train", "condconv_digits", "--epochs", "2", "-o", checkpoint, "-q"],
        ["export", checkpoint, "--format", "onnx,tflite", "-o", str(folder / "digits.onnx"), "-q"],
    ):
        done = subprocess.run([*condmix, *arguments], capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


def measure(
    folder: Path, profile: Path, engines: dict[str, Path], flags: Sequence[str], settings: BenchSettings, **choices: Any
) -> BenchReport:
    """The report of a Chromium that opens the address; its processes are gone afterwards."""
    subjects = [
        BenchSubject(name=name, file=folder / name, engine=engine)
        for name, engine in (("digits.onnx", "onnxruntime"), ("digits.tflite", "litert"))
    ]
    found = find_reference(folder / "digits.onnx")
    assert found is not None
    reference = read_reference(found)
    references = {one.name: reference for one in subjects}
    return measured(subjects, settings, profile, flags, references=references, assets=engines, **choices)


def check(report: BenchReport, names: Sequence[str]) -> None:
    """Every subject was measured whole, and computes what PyTorch does."""
    assert BenchReport.from_dict(report.to_dict()) == report
    assert set(report.subject_names) == {*names, f"{names[0]} (again)"}
    for one in report.subjects:
        assert one.failure is None, f"{one.name}: {one.failure}"
        assert one.agreement is not None
        assert one.agreement.passed, f"{one.name}: {one.agreement.detail}"
        assert len(one.samples) >= report.settings.minimum_runs
        assert len(one.openings) == 1
        assert sum(one.samples.wall_ns) > 0
    assert report.verdict.judgement is not Judgement.UNVERIFIED


def test_both_engines_on_one_and_two_threads(digits: Path, engines: dict[str, Path], tmp_path: Path) -> None:
    report = measure(digits, tmp_path, engines, NO_GPU, SHORT)
    check(report, ["digits.onnx@wasm", "digits.onnx@2t@wasm", "digits.tflite@wasm", "digits.tflite@2t@wasm"])
    assert set(report.sections["missing"]) == {"digits.onnx@webgpu", "digits.tflite@webgpu"}
    facts = report.sections["browser"]["facts"]
    assert facts["cross_origin_isolated"] is True
    assert facts["clock_step_ns"] <= 1_000_000
    versions = {one.name: one.engine_version for one in report.subjects}
    assert versions["digits.onnx@wasm"] == "ONNX Runtime Web 1.30.0, wasm"
    assert versions["digits.tflite@2t@wasm"] == "LiteRT.js 2.5.3, wasm"


def test_both_engines_on_software_webgpu(digits: Path, engines: dict[str, Path], tmp_path: Path) -> None:
    report = measure(digits, tmp_path, engines, SOFTWARE_GPU, SHORTEST, all_cores=False)
    if "missing" in report.sections:
        pytest.skip(f"this Chromium finds no adapter for WebGPU: {report.sections['missing']}")
    check(report, ["digits.onnx@wasm", "digits.onnx@webgpu", "digits.tflite@wasm", "digits.tflite@webgpu"])
    # Mixing several kernel elements a column (exporters/tflite/mixing.py) is quicker on CPUs and leaves a few small
    # operators to WASM here; were it True again, docs/browser.md would have to say so.
    assert report.sections["browser"]["subjects"]["digits.tflite@webgpu"]["fully_accelerated"] is False
    assert "whose WebGPU is software" in report.verdict.first_line()


def test_https_with_a_certificate_of_its_own(digits: Path, engines: dict[str, Path], tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command is not installed")
    flags = (*NO_GPU, "--ignore-certificate-errors")
    report = measure(digits, tmp_path, engines, flags, SHORTEST, https=True, bind="0.0.0.0", webgpu=False)
    check(report, ["digits.onnx@wasm", "digits.onnx@2t@wasm", "digits.tflite@wasm", "digits.tflite@2t@wasm"])


def test_http_from_elsewhere_has_one_thread_and_says_why(
    digits: Path, engines: dict[str, Path], tmp_path: Path
) -> None:
    if own_address() == LOOPBACK:
        pytest.skip("this machine has no address but its own loopback")
    report = measure(digits, tmp_path, engines, SOFTWARE_GPU, SHORTEST, https=False, bind="0.0.0.0")
    check(report, ["digits.onnx@wasm", "digits.tflite@wasm"])
    reasons = {name: one["reason"] for name, one in report.sections["missing"].items()}
    assert "shared memory" in reasons["digits.onnx@2t@wasm"]
    assert reasons["digits.tflite@webgpu"] == "WebGPU needs https or localhost"


def test_an_engine_that_does_not_load_loses_its_files_only(
    digits: Path, engines: dict[str, Path], tmp_path: Path
) -> None:
    some = {name: path for name, path in engines.items() if name != "litert.js"}
    report = measure(digits, tmp_path, some, NO_GPU, SHORTEST, all_cores=False, webgpu=False)
    lost, whole = report.subject("digits.tflite@wasm"), report.subject("digits.onnx@wasm")
    assert lost.failure is not None
    assert "assets/litert.js" in lost.failure
    assert "http" not in lost.failure  # the address has the token in it
    assert whole.failure is None
    assert whole.agreement is not None
    assert whole.agreement.passed


def test_wrong_outputs_are_found(
    digits: Path, engines: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard can fail: the reference of another network."""
    read: Callable[[Path], Any] = read_reference

    def other(path: Path) -> Any:
        reference = read(path)
        outputs = {name: rows + 0.01 for name, rows in reference.outputs.items()}
        return type(reference)(**{**vars(reference), "outputs": outputs})

    monkeypatch.setattr(sys.modules[__name__], "read_reference", other)
    report = measure(digits, tmp_path, engines, NO_GPU, SHORTEST, all_cores=False, webgpu=False)
    assert report.verdict.judgement is Judgement.UNVERIFIED


def test_a_browser_that_is_closed_is_a_named_error(digits: Path, engines: dict[str, Path], tmp_path: Path) -> None:
    subjects = [BenchSubject(name="digits", file=digits / "digits.onnx", engine="onnxruntime")]
    started: list[subprocess.Popen[bytes]] = []

    def opened(address: Address) -> None:
        assert CHROMIUM is not None
        command = [CHROMIUM, *FLAGS, *NO_GPU, f"--user-data-dir={tmp_path / 'profile'}", address.url]
        started.append(
            subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        )

    def told(progress: Any) -> None:
        if progress.stage.startswith("measuring"):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(started[0].pid, signal.SIGKILL)

    settings = BenchSettings(minimum_seconds=60.0, warmup_seconds=0.0, openings=1)
    with pytest.raises(BrowserError, match="no sign of life for 3 s"):
        run_in_browser(
            subjects,
            settings,
            on_address=opened,
            assets=engines,
            report_progress=told,
            wait_seconds=60.0,
            silence_seconds=3.0,
        )
    started[0].wait(20)
