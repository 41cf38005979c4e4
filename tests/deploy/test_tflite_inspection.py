"""condmix inspect FILE.tflite."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from condmix.deploy.tflite_inspection import OUR_ENTRY, inspect_tflite, tflite_metadata
from condmix.exporters.tflite.build import TfliteBuild
from condmix.exporters.tflite.lower_graph import METADATA_NAME
from condmix.runtime.probe import TFLITE_MODEL
from tests.deploy.conftest import Run


@pytest.fixture
def exported(quick: None, condmix: Run, weights: Path, tmp_path: Path) -> Path:
    """A TFLite file of an export to both formats."""
    del quick
    assert condmix("export", weights, "--format", "onnx,tflite", "-o", tmp_path / "net.onnx").code == 0
    return tmp_path / "net.tflite"


def test_an_exported_file_says_what_it_is(condmix: Run, exported: Path) -> None:
    ran = condmix("inspect", exported)
    assert ran.code == 0
    size = exported.stat().st_size / 1000
    assert ran.out.startswith(f"{exported}  {size:.1f} kB  TFLite  sha256 ")
    assert "input: input [1, 32, 32, 1]" in ran.out
    assert "output: logits [1, 10]" in ran.out
    assert "architecture: condconv_digits" in ran.out
    assert "input_layout: NHWC" in ran.out
    assert "verified: yes" in ran.out
    row = next(line for line in ran.out.splitlines() if line.startswith("blocks.2.depthwise"))
    assert row.split()[:3] == ["blocks.2.depthwise", "CondConv", "depthwise"]
    assert "operators: RESHAPE x" in ran.out
    assert "delegate: XNNPACK takes 137 of 141 operators in 5 parts; not: DEPTHWISE_CONV_2D x4" in ran.out
    assert "note: " not in ran.out


def test_in_json(condmix: Run, exported: Path) -> None:
    record = json.loads(condmix("inspect", exported, "--json").out)
    assert record["kind"] == "condmix-inspection-tflite"
    assert record["delegate_coverage"]["operators"] == sum(record["operators"].values())
    assert record["record"]["artifact"]["format"] == "tflite"
    assert json.loads(record["metadata"]["settings"]) == {"width": 0.5, "experts": 2}


def test_the_onnx_file_beside_it_has_its_own_entry(condmix: Run, exported: Path) -> None:
    record = json.loads(condmix("inspect", exported.with_suffix(".onnx"), "--json").out)
    assert record["record"]["artifact"]["format"] == "onnx"


def test_a_file_of_somebody_else_is_shown_as_far_as_it_goes(condmix: Run, tmp_path: Path) -> None:
    (tmp_path / "other.tflite").write_bytes(TFLITE_MODEL)
    ran = condmix("inspect", tmp_path / "other.tflite")
    assert ran.code == 0
    assert "operators: ADD x1" in ran.out
    assert "note: not written by condmix" in ran.out
    assert "note: there is no record beside it (other.condmix.json)" in ran.out


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file or directory. Give the path of a .tflite file."),
        (b"", "cannot be opened: it is empty"),
        (
            b"hello, this is text and no model",
            "cannot be opened: it is damaged: it does not begin",
        ),
    ],
)
def test_what_is_no_tflite_file_is_code_3(condmix: Run, tmp_path: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / "a.tflite").write_bytes(content)
    ran = condmix("inspect", tmp_path / "a.tflite")
    assert ran.code == 3
    assert said in ran.err


@pytest.mark.parametrize("kept", [0.5, 0.99])
def test_a_file_cut_off_is_code_3(condmix: Run, exported: Path, kept: float) -> None:
    content = exported.read_bytes()
    exported.write_bytes(content[: int(kept * len(content))])
    ran = condmix("inspect", exported)
    assert ran.code == 3
    assert "cannot be opened" in ran.err


def test_metadata_that_is_not_ours_is_left_out(tflite_built: TfliteBuild) -> None:
    found = tflite_metadata(tflite_built.content)
    assert found["architecture"] == "condconv_digits"
    for place, wrong in ((b'{"architecture"', b'["architecture"'), (b'{"architecture"', b'"string"       ')):
        assert place in tflite_built.content
        assert tflite_metadata(tflite_built.content.replace(place, wrong)) == {}
    assert tflite_metadata(TFLITE_MODEL) == {}


def test_the_name_of_our_metadata_is_the_writers() -> None:
    assert OUR_ENTRY == METADATA_NAME


def test_the_operators_are_counted(exported: Path) -> None:
    found = inspect_tflite(exported)
    assert found.coverage.operators == sum(found.operators.values())
    assert found.operators["BATCH_MATMUL"] == 8
