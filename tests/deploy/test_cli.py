"""The front door: programs, versions, unknown words, missing packages, interruptions, and how fast it opens."""

from __future__ import annotations

import importlib.metadata
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.conftest import Run, files_in

OPEN_THE_DOOR = "import sys; from condmix.deploy.cli import run; code = run(sys.argv[1:], program='condmix'); "
HEAVY = ("torch", "onnx", "onnx_ir", "onnxruntime", "numpy", "rich", "timm", "sklearn")


def test_version(condmix: Run) -> None:
    version = importlib.metadata.version("condmix")
    assert condmix("--version").out == f"condmix {version}\n"
    assert condmix("--version", program="condmix-export").out == f"condmix {version}\n"


def test_condmix_export_is_the_export_command(condmix: Run, tmp_path: Path) -> None:
    absent = tmp_path / "absent.pt"
    ran = condmix(absent, program="condmix-export")
    assert (ran.code, ran.err) == (3, condmix("export", absent).err)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["exprot"],
            "'exprot' is not a command: did you mean 'export'? valid: audit, bench, bundle, compare, detect, "
            "detection-set, diff, doctor, eval, export, inspect, report, train, verify, zoo",
        ),
        (["export", "a.pt", "--opste", "18"], "No such option '--opste'"),
        (["export", "a.pt", "--opste", "18"], "--opset"),
        (["export", "a.pt", "--format", "onxx"], "did you mean 'onnx'? valid: onnx, tflite"),
        (["export", "a.pt", "--format", "onnx,tfilte"], "did you mean 'tflite'? valid: onnx, tflite"),
        (["export", "a.pt", "--format", "tflite,onnx,tflite"], "given twice: tflite"),
        (["export", "a.pt", "--format", ""], "'' is not a choice: valid: onnx, tflite"),
        (["export", "a.pt", "--int8"], "--int8 needs images to calibrate on: add --calib FOLDER"),
        (["export", "a.pt", "--experts", "float16"], "--experts float16 is about TFLite files: leave it out, or add"),
        (["export", "a.pt", "--experts", "int8", "--batch", "dynamic"], "it contradicts --batch dynamic"),
        (["export", "a.pt", "--precision", "float16"], "--precision is about TFLite files"),
        (["export", "a.pt", "--layout", "nchw"], "--layout is about TFLite files"),
        (["export", "a.pt", "--format", "tflite", "--opset", "18"], "--opset is about ONNX files"),
        (["export", "a.pt", "--format", "tflite", "--mixconv", "merged"], "or add onnx to --format tflite"),
        (["export", "a.pt", "--format", "tflite", "--stage", "named"], "--stage is about ONNX files"),
        (["export", "a.pt", "--format", "tflite", "--condconv", "kernel"], "it can be auto or experts"),
        (["export", "a.pt", "--format", "tflite", "--experts", "int4"], "did you mean 'int8'?"),
        (["export", "a.pt", "--format", "tflite", "--precision", "half"], "valid: float32, float16"),
        (["export", "a.pt", "--format", "tflite", "--layout", "nhcw"], "valid: nhwc, nchw"),
        (
            ["export", "a.pt", "--format", "tflite", "--precision", "float16", "--experts", "float32"],
            "contradicts experts float32",
        ),
        (["export", "a.pt", "--format", "tflite", "-o", "a.onnx"], "does not end in .tflite"),
        (["export", "a.pt", "--format", "onnx,tflite", "-o", "a"], "does not end in .onnx or .tflite"),
        (["doctor", "--prepare", "tflite"], "did you mean 'tflite-runtime'?"),
        (["inspect", "a.tflite", "--batch", "2"], "a file that ends in .tflite is inspected as it is"),
        (
            ["export", "a.pt", "--condconv", "kernle"],
            "did you mean 'kernel'? valid: auto, kernel, grouped, matmul, experts",
        ),
        (["export", "a.pt", "--mixconv", "merge"], "did you mean 'merged'?"),
        (["export", "a.pt", "--stage", "finale"], "did you mean 'final'? valid: named, rewritten, final"),
        (["export", "a.pt", "--batch", "dyn"], "1 to 1024, or dynamic"),
        (["export", "a.pt", "--opset", "new"], "'new' is not a valid integer"),
        (["export", "a.pt", "--opset", "9"], "opset 9 is too old: expected 17 to 24"),
        (["export", "a.pt", "--tolerance", "2"], "2.0 is not in the range"),
        (["export", "a.pt", "--tolerance", "nan"], "relative must be a finite number"),
        (["export", "a.pt", "--batch", "4", "--condconv", "kernel"], "--condconv kernel contradicts --batch 4"),
        (["export", "a.pt", "--arch", "a", "--factory", "b:c"], "--arch and --factory both say the network"),
        (["export", "a.pt", "-o", "a.tflite"], "does not end in .onnx"),
        (["export"], "Missing argument 'MODEL'"),
        (["zoo", "--count"], "--counts"),
        (["train", "condconv_digits", "-o", "a.onnx"], "does not end in .pt or .pth"),
        (["train", "condconv_digits", "-o", "a.pt", "--epochs", "0"], "is not in the range"),
        (["train", "condconv_digits", "-o", "a.pt", "--learning-rate", "0"], "is not in the range"),
        (["train", "condconv_digits", "-o", "a.pt", "--batch-size", "1"], "is not in the range"),
        (["train", "condconv_digits", "-o", "a.pt", "--routing-rate", "-1"], "is not in the range"),
        (["inspect", "a.onnx", "--arch", "mixnet_s"], "--arch is about weights files"),
    ],
)
def test_wrong_usage_is_code_2_with_what_is_right(condmix: Run, arguments: list[str], said: str) -> None:
    ran = condmix(*arguments)
    assert ran.code == 2
    assert said in ran.err
    assert ran.out == ""


def test_the_door_opens_without_anything_heavy() -> None:
    """What makes it fast; a time would say more about this machine's load."""
    code = OPEN_THE_DOOR + f"print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)"
    command = [sys.executable, "-c", code, "--help"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stderr == "[]\n"
    assert ran.stdout.startswith("Usage: condmix")


def test_without_click_the_door_says_what_to_install() -> None:
    code = f"import sys; sys.modules['click'] = None; {OPEN_THE_DOOR} sys.exit(code)"
    ran = subprocess.run([sys.executable, "-c", code, "zoo"], capture_output=True, text=True, check=False)
    assert ran.returncode == 8
    assert ran.stderr == (
        "condmix: the package 'click' is not installed, this command needs it: pip install 'condmix[export]'\n"
    )


def test_a_package_missing_behind_the_door_is_code_8_too(condmix: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    ran = condmix("zoo", "mixnet_digits")
    assert ran.code == 8
    assert "the package 'rich' is not installed" in ran.err


@pytest.mark.usefixtures("quick")
def test_a_missing_engine_is_code_8(
    condmix: Run, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from condmix.deploy import verified_file
    from condmix.exporters.verify.verify import verify_onnx

    def without_engine(*arguments: object, **options: object) -> object:
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
        return verify_onnx(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(verified_file, "verify_onnx", without_engine)
    ran = condmix("export", weights, "-o", tmp_path / "a.onnx")
    assert ran.code == 8
    assert 'pip install "condmix[onnxruntime]"' in ran.err
    assert files_in(tmp_path) == set()


@pytest.mark.usefixtures("quick")
def test_an_interruption_is_code_130_and_leaves_nothing(
    condmix: Run, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from condmix.deploy.atomic import PendingFiles

    def interrupt(_files: PendingFiles) -> None:
        signal.raise_signal(signal.SIGINT)

    (tmp_path / "a.onnx").write_bytes(b"old")
    monkeypatch.setattr(PendingFiles, "commit", interrupt)
    ran = condmix("export", weights, "-o", tmp_path / "a.onnx", "--overwrite")
    assert ran.code == 130
    assert "interrupted; nothing was written" in ran.err
    assert files_in(tmp_path) == {"a.onnx"}
    assert (tmp_path / "a.onnx").read_bytes() == b"old"


@pytest.mark.usefixtures("quick")
def test_an_interruption_that_a_library_swallows_is_one_too(
    condmix: Run, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from condmix.exporters.errors import CaptureError

    def swallow(*_arguments: object) -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            message = "something else"
            raise CaptureError(message) from None

    monkeypatch.setattr("condmix.exporters.capture.capture", swallow)
    assert condmix("export", weights, "-o", tmp_path).code == 130
    assert condmix("export", tmp_path / "absent.pt").code == 3


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    command = [sys.executable, "-c", OPEN_THE_DOOR + "sys.exit(code)", "export", "--help"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
    assert said == ""
    assert process.returncode == 1
