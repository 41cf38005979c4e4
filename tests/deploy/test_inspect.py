"""condmix inspect: weights files and exported files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import pytest

from condmix.deploy.inspection import inspect_onnx
from condmix.exporters.build import Build, build_from
from condmix.exporters.capture import Captured
from tests.deploy.conftest import SETTINGS, Run, files_in


@pytest.fixture
def exported(quick: None, condmix: Run, weights: Path, tmp_path: Path) -> Path:
    """An exported file with its record beside it."""
    del quick
    assert condmix("export", weights, "-o", tmp_path / "net.onnx").code == 0
    return tmp_path / "net.onnx"


def test_the_layers_of_a_weights_file(
    condmix: Run, weights: Path, built: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("condmix.exporters.build.build", lambda *_arguments: built)
    before = files_in(weights.parent)
    ran = condmix("inspect", weights, "-q")
    assert ran.code == 0
    assert ran.out.splitlines()[0] == f"{weights}  condconv_digits  1x1x32x32"
    row = next(line for line in ran.out.splitlines() if line.startswith("blocks.2.depthwise"))
    assert row.split()[:5] == ["blocks.2.depthwise", "CondConv", "experts", "3x3", "2"]
    assert "static kernels stay" in row
    assert "total" in ran.out
    assert ran.err == ""
    assert files_in(weights.parent) == before


def test_json_has_the_layers_their_totals_and_the_flags_taken(
    condmix: Run, weights: Path, captured: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(_module: object, _size: object, *choices: Any) -> Build:
        return build_from(captured, *choices)

    monkeypatch.setattr("condmix.exporters.build.build", build)
    ran = condmix("inspect", weights, "--batch", "dynamic", "--condconv", "experts", "--json")
    record = json.loads(ran.out)
    assert record["kind"] == "condmix-inspection-weights"
    assert record["settings"] == SETTINGS
    assert record["batch"] == "dynamic"
    assert {layer["form"] for layer in record["layers"]} == {"experts"}
    assert record["totals"]["multiply_adds"] == sum(layer["multiply_adds"] for layer in record["layers"]) > 0
    assert record["totals"]["weight_bytes"] == sum(layer["weight_bytes"] for layer in record["layers"]) > 0


def test_an_exported_file_says_what_it_is(condmix: Run, exported: Path) -> None:
    ran = condmix("inspect", exported)
    assert ran.code == 0
    assert "input: input [1, 1, 32, 32]" in ran.out
    assert "architecture: condconv_digits" in ran.out
    assert "minimum_runtime: onnxruntime>=1.16" in ran.out
    assert "verified: yes" in ran.out
    assert "blocks.2.depthwise" in ran.out
    assert "operators: Conv x" in ran.out
    assert "note: " not in ran.out


def test_an_exported_file_in_json(condmix: Run, exported: Path) -> None:
    record = json.loads(condmix("inspect", exported, "--json").out)
    assert record["kind"] == "condmix-inspection-onnx"
    assert record["metadata"]["condmix_stage"] == "final"
    assert record["record"]["passed"] is True
    assert record["operators"]["Conv"] > 10


def test_a_record_of_another_file_is_left_out(exported: Path) -> None:
    record = exported.with_name("net.condmix.json")
    proto = onnx.load(exported)
    proto.producer_name = "somebody else"
    onnx.save(proto, exported)
    found = inspect_onnx(exported)
    assert found.record is None
    assert found.notes == (f"the record beside it, {record.name}, is of another file (sha256 differs): it is left out",)


@pytest.mark.parametrize("content", ["{", "[]", '{"artifacts": 3}', '{"artifacts": [3, {"artifact": 4}]}', "\udcff"])
def test_a_damaged_record_is_told_and_left_out(exported: Path, content: str) -> None:
    exported.with_name("net.condmix.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    found = inspect_onnx(exported)
    assert found.record is None
    assert len(found.notes) == 1


def test_a_file_of_somebody_else_is_shown_as_far_as_it_goes(condmix: Run, tmp_path: Path) -> None:
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    values = [onnx.helper.make_tensor_value_info(name, 1, ["N", 3]) for name in ("x", "y")]
    graph = onnx.helper.make_graph([node], "g", values[:1], values[1:])
    onnx.save(onnx.helper.make_model(graph), tmp_path / "other.onnx")
    ran = condmix("inspect", tmp_path / "other.onnx")
    assert ran.code == 0
    assert "input: x [N, 3]" in ran.out
    assert "operators: Relu x1" in ran.out
    assert "note: not written by condmix" in ran.out
    assert "note: there is no record beside it (other.condmix.json)" in ran.out


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", r"is not a whole ONNX file (0 bytes)"),
        (b"hello, this is text and no model", "is not a whole ONNX file (32 bytes)"),
    ],
)
def test_what_is_no_onnx_file_is_code_3(condmix: Run, tmp_path: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / "a.onnx").write_bytes(content)
    ran = condmix("inspect", tmp_path / "a.onnx")
    assert ran.code == 3
    assert said in ran.err


def test_a_file_cut_off_is_code_3(condmix: Run, exported: Path) -> None:
    exported.write_bytes(exported.read_bytes()[:-1000])
    ran = condmix("inspect", exported)
    assert ran.code == 3
    assert "is not a whole ONNX file" in ran.err


def test_weights_that_are_not_understood_are_code_3(condmix: Run, tmp_path: Path) -> None:
    assert condmix("inspect", tmp_path / "absent.pt").code == 3


def test_verbose_tells_every_rewrite(
    condmix: Run, weights: Path, built: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("condmix.exporters.build.build", lambda *_arguments: built)
    out = condmix("inspect", weights, "--verbose").out
    applied = [step for step in built.steps if step.applied]
    lines = [line for line in out.splitlines() if line.startswith("rewrite: ")]
    assert len(lines) == len(built.steps)
    assert f"rewrite: {applied[0].rule} at {applied[0].path}: applied" in lines[0]
