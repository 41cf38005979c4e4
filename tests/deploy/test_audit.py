"""condmix audit."""

from __future__ import annotations

import json
import logging
import re
import sys
from pathlib import Path

import pytest
from onnxruntime.quantization import QuantType

from tests.deploy.conftest import Run, files_in
from tests.runtime.audit.onnx_files import TOTAL, write_float, write_static
from tests.runtime.audit.tflite_models import net

RUNS = ("--runs", 2)


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)  # the quantiser recommends its own preprocessing


def test_a_float_file_says_that_nothing_runs_in_int8(condmix: Run, tmp_path: Path) -> None:
    before = files_in(tmp_path) | {"float.onnx"}
    ran = condmix("audit", write_float(tmp_path), *RUNS)
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0] == f"nothing runs in int8: of {TOTAL:,} multiply-adds all of them run in float"
    assert re.match(r".*float\.onnx  \S+ kB  onnxruntime 1\.\S+, 1 thread, 2 runs  input: image 1x3x16x16", lines[1])
    row = next(line for line in lines if line.startswith("stem, blocks.0/dw, blocks.0/pw"))
    assert "100.0 %" in row
    assert "not quantised in the file" in row
    assert "boundary: no quantise/dequantise nodes in the graph that runs" in lines
    assert ran.err == "condmix: audit\n"
    assert files_in(tmp_path) == before


def test_a_file_of_quantize_static_with_its_islands(condmix: Run, tmp_path: Path) -> None:
    ran = condmix("audit", write_static(tmp_path, activations=QuantType.QInt8), *RUNS, "-q")
    lines = ran.out.splitlines()
    assert lines[0] == "83.9 % of multiply-adds run in int8; 1 float island"
    row = next(line for line in lines if line.startswith("blocks.0/dw"))
    assert re.search(r"Conv +16\.1 % +\S+ % +quantised in the file, not fused by the runtime", row)
    assert any(line.startswith("Sigmoid ") for line in lines)
    assert any(line.startswith("com.microsoft.QLinearConv ") for line in lines)
    assert any(line.startswith("round trips: 2 x quantised and dequantised between two float op") for line in lines)
    assert any(line.startswith("time: int8 ") for line in lines)
    assert ran.err == ""


def test_slower_or_faster_than_float_is_measured_when_the_float_file_is_given(condmix: Run, tmp_path: Path) -> None:
    quantized = write_static(tmp_path)
    ran = condmix("audit", quantized, "--float", tmp_path / "float.onnx", "--runs", 20)
    line = ran.out.splitlines()[1]
    assert re.search(r"than float on this machine.*; int8 / float = \d\.\d+ \(.*95%, cpu time\); .* ms against", line)
    assert ran.err == "condmix: audit\ncondmix: time both files in turns\n"


def test_json(condmix: Run, tmp_path: Path) -> None:
    path = write_static(tmp_path)
    record = json.loads(condmix("audit", path, *RUNS, "--json", "-q").out)
    assert (record["kind"], record["schema_version"]) == ("condmix-audit", 1)
    assert (record["int8_share"], record["speed"]) == (1, None)
    record = json.loads(condmix("audit", path, *RUNS, "--json", "-q", "--float", tmp_path / "float.onnx").out)
    assert record["speed"]["verdict"] == "unknown"


def test_a_tflite_file(condmix: Run, tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(net(activations="int8", weights="int8", float_depthwise=True))
    ran = condmix("audit", path)
    assert ran.code == 0
    assert ran.out.splitlines()[0] == "75.1 % of multiply-adds run in int8; 1 float island"
    assert "kept in float between DEQUANTIZE and QUANTIZE" in ran.out
    assert "time: " not in ran.out


def test_free_axes(condmix: Run, tmp_path: Path) -> None:
    path = write_float(tmp_path)
    assert "input: image 4x3x16x16" in condmix("audit", path, *RUNS, "--shape", "image=4x3x16x16").out
    ran = condmix("audit", path, *RUNS, "--shape", "image=4x3x16x17")
    assert ran.code == 2
    assert "the shape of 'image' is nx3x16x16 in the file, asked for 4x3x16x17" in ran.err
    ran = condmix("audit", path, "--shape", "4x3")
    assert ran.code == 2
    assert "'4x3' is not a shape: expected NAME=LENGTHxLENGTH, such as input=1x3x224x224" in ran.err


@pytest.mark.parametrize("name", ["a.onnx", "a.tflite"])
@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "there is no such file"), (b"", "it is empty"), (b"this is text and no model", "cannot be opened")],
)
def test_what_is_no_model_is_code_3(condmix: Run, tmp_path: Path, name: str, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    ran = condmix("audit", tmp_path / name)
    assert ran.code == 3
    assert said in ran.err


def test_a_float_file_that_is_damaged_or_of_another_net(condmix: Run, tmp_path: Path) -> None:
    path = write_static(tmp_path)
    (tmp_path / "cut.onnx").write_bytes(path.read_bytes()[:900])
    ran = condmix("audit", path, *RUNS, "--float", tmp_path / "cut.onnx")
    assert (ran.code, ran.out) == (3, "")
    (tmp_path / "other.tflite").write_bytes(net())
    ran = condmix("audit", path, *RUNS, "--float", tmp_path / "other.tflite")
    assert ran.code == 2
    assert "give the float file that the int8 file was made from" in ran.err


@pytest.mark.parametrize(
    ("module", "name", "said"),
    [
        ("onnxruntime", "float.onnx", "the engine 'onnxruntime' cannot be used"),
        ("onnx", "float.onnx", "the engine 'onnx' cannot be used"),
        ("ai_edge_litert.interpreter", "net.tflite", "the engine 'ai-edge-litert' cannot be used"),
    ],
)
def test_a_missing_engine_is_code_8(
    condmix: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, name: str, said: str
) -> None:
    write_float(tmp_path)
    (tmp_path / "net.tflite").write_bytes(net())
    monkeypatch.setitem(sys.modules, module, None)
    ran = condmix("audit", tmp_path / name)
    assert ran.code == 8
    assert said in ran.err


def test_a_file_that_opens_but_does_not_run_is_code_3(
    condmix: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from condmix.runtime.errors import SessionFailedError
    from condmix.runtime.onnx_session import OnnxRuntimeSession

    def fail(_session: object, _feeds: object) -> None:
        engine, place, reason = "onnxruntime", "'float.onnx'", "index out of range"
        raise SessionFailedError(engine, place, reason)

    monkeypatch.setattr(OnnxRuntimeSession, "run", fail)
    ran = condmix("audit", write_float(tmp_path))
    assert ran.code == 3
    assert "index out of range" in ran.err
