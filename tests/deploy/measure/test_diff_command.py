"""condmix diff: two files, or two reports."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from condmix.deploy.json_text import to_json
from tests.deploy.conftest import Run
from tests.runtime.audit.onnx_files import write_float, write_weights_only
from tests.runtime.audit.tflite_models import net
from tests.runtime.bench.reports import ENVIRONMENT, make_report


def test_two_onnx_files(condmix: Run, tmp_path: Path) -> None:
    ran = condmix("diff", write_float(tmp_path), write_weights_only(tmp_path))
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0].startswith("float.onnx and weights_only.onnx: outputs differ by up to ")
    assert "4 of 4 constants of the same name are equal" in lines[0]
    assert any(line.split() == ["DequantizeLinear", "0", "4"] for line in lines)
    assert "constants: 4 names in common, 4 equal; 4 only in a, 8 only in b" in lines
    assert any(line.startswith("output logits: largest difference ") for line in lines)
    assert ran.err.splitlines()[-1] == "condmix: compare outputs"


def test_a_file_and_itself(condmix: Run, tmp_path: Path) -> None:
    path = write_float(tmp_path)
    ran = condmix("diff", path, path, "-q")
    assert ran.out == f"the same, byte for byte: {path} and {path}\n"
    record = json.loads(condmix("diff", path, path, "-q", "--json").out)
    assert (record["kind"], record["same_bytes"], record["outputs"]) == ("condmix-difference-files", True, None)


def test_two_formats_that_take_other_images(condmix: Run, tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(net(activations="int8", weights="int8"))
    ran = condmix("diff", write_float(tmp_path), tmp_path / "net.tflite", "-q")
    assert ran.code == 0
    assert "outputs were not compared" in ran.out.splitlines()[0]
    assert "note: outputs are not compared: input 'image' is 1x3x16x16 in a, 1x6x6x3 in b" in ran.out
    assert "constants: no name in common (8 in a, 7 in b)" in ran.out
    assert any(
        line.startswith("multiply-adds in int8") and line.endswith("100.0 %")
        for line in map(str.strip, ran.out.splitlines())
    )


def test_two_tflite_files_of_other_arithmetic(condmix: Run, tmp_path: Path) -> None:
    (tmp_path / "a.tflite").write_bytes(net())
    (tmp_path / "b.tflite").write_bytes(net(weights="int8", unpacked_weights=True))
    record = json.loads(condmix("diff", tmp_path / "a.tflite", tmp_path / "b.tflite", "-q", "--json").out)
    assert record["operator_counts"] == {"DEQUANTIZE": [0, 1]}
    (output,) = record["outputs"]["outputs"]
    assert output["max_abs_difference"] > 0


def test_a_shape_that_no_file_takes(condmix: Run, tmp_path: Path) -> None:
    path = write_float(tmp_path)
    ran = condmix("diff", path, path, "--shape", "imgae=1x3x16x16")
    assert ran.code == 2
    assert "no input is named 'imgae'; inputs are 'image'" in ran.err


def test_two_reports(condmix: Run, tmp_path: Path) -> None:
    other = dataclasses.replace(
        make_report(), environment_before=dataclasses.replace(ENVIRONMENT, memory_total_bytes=1), condmix_version="2"
    )
    for name, report in (("a.json", make_report()), ("b.json", other)):
        (tmp_path / name).write_text(to_json(report.to_dict()))
    ran = condmix("diff", tmp_path / "a.json", tmp_path / "b.json")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0].startswith("a: VALID: nothing was found against it  (")
    assert (
        lines[2] == "they were measured on different machines: times are not compared, only ratios within each report"
    )
    assert any(line.split() == ["condmix", "0.1.0", "2"] for line in lines)
    assert any(line.startswith("half ") and "not compared" in line and "no difference" in line for line in lines)
    record = json.loads(condmix("diff", tmp_path / "a.json", tmp_path / "a.json", "--json").out)
    assert (record["one_machine"], record["settings"]) == (True, {})


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["a.json", "float.onnx"], 2, "give two .json reports, or two .onnx or .tflite files"),
        (["a.json", "a.json", "--shape", "x=1x2"], 2, "--shape is about model files"),
        (["a.json", "none.json"], 3, "No such file or directory"),
        (["float.onnx", "none.onnx"], 3, "there is no such file"),
        (["float.onnx", "a.txt"], 3, "cannot be opened"),
    ],
)
def test_bad_input(
    condmix: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_float(tmp_path)
    Path("a.json").write_text("{}")
    Path("a.txt").write_text("text")
    ran = condmix("diff", *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err


def test_all_reports_that_cannot_be_read_are_named(condmix: Run, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    ran = condmix("diff", tmp_path / "a.json", tmp_path / "none.json")
    assert "a.json" in ran.err
    assert "none.json" in ran.err
    assert "Give the report.json of `condmix bench FILE... -o FOLDER`." in ran.err
