"""Comparisons from end to end: of given files, quickly, and of a network in all its files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from condmix.deploy.compare.run import ORDER
from condmix.runtime.bench.report import read_report
from tests.deploy.conftest import Run, files_in
from tests.runtime.conftest import build
from tests.runtime.tflite_files import DenseNet

QUICK = ("--runs", "25", "--seconds", "0")


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A small ONNX and a small TFLite file of nobody's."""
    folder = tmp_path / "files"
    folder.mkdir()
    onnx_file, tflite_file = folder / "linear.onnx", folder / "dense.tflite"
    weight = np.random.default_rng(3).standard_normal((4, 5)).astype(np.float32)
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    onnx_file.write_bytes(build([node], inputs={"x": [1, 4]}, outputs={"y": [1, 5]}, constants={"w": weight}))
    tflite_file.write_bytes(DenseNet().to_tflite())
    return onnx_file, tflite_file


def test_given_files_are_measured_in_one_run(condmix: Run, files: tuple[Path, Path], tmp_path: Path) -> None:
    ran = condmix("compare", *files, *QUICK, "-o", tmp_path / "out", "-q")
    assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    assert lines[0].startswith("UNVERIFIED: ")
    rows = [line.split()[0] for line in lines if line.startswith(("linear", "dense"))]
    assert rows == ["linear", "dense"]
    assert "ratios are to linear" in ran.out
    assert f"table: {tmp_path}/out/comparison.md" in ran.out
    report = read_report(tmp_path / "out" / "report.json")
    assert report.subject_names == ("linear", "dense", "linear (again)")
    assert report.sections["routing"]["dense"]["blocks"] == []  # type: ignore[index]
    table = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert [row["name"] for row in table["rows"]] == ["linear", "dense"]
    again = condmix("compare", *files, *QUICK, "-o", tmp_path / "out", "-q")
    assert again.code == 2
    assert "pass --overwrite" in again.err


def test_without_a_folder_nothing_is_written(condmix: Run, files: tuple[Path, Path], tmp_path: Path) -> None:
    before = files_in(tmp_path)
    ran = condmix("compare", files[0], *QUICK, "--json", "-q")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["kind"] == "condmix-comparison"
    assert files_in(tmp_path) == before


@pytest.mark.slow
def test_a_network_in_all_its_files(
    condmix: Run, int8_weights: Path, images_npy: Path, labelled_npz: Path, tmp_path: Path
) -> None:
    """The labels are what the float network says: its accuracy is 1."""
    folder = tmp_path / "out"
    ran = condmix(
        "compare", int8_weights, "--calib", images_npy, "--evaluate", labelled_npz, "--experts", "int8", *QUICK,
        "-o", folder,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    table = json.loads((folder / "comparison.json").read_text())
    rows = {row["name"]: row for row in table["rows"]}
    assert list(rows) == list(ORDER)
    assert not any(row["reason"] for row in rows.values())
    assert all(row["agrees"] for row in rows.values())
    assert rows["stock ONNX"]["top1"] == rows["condmix ONNX"]["top1"] == rows["condmix TFLite"]["top1"] == 1.0
    assert rows["condmix int8 TFLite"]["top1"] >= 0.9
    assert rows["condmix int8 TFLite"]["size_ratio"] < 0.5
    report = read_report(folder / "report.json")
    assert {"accuracy", "routing", "input_dependence"} <= set(report.sections)
    routing = report.sections["routing"]
    assert isinstance(routing, dict)
    assert {name: len(found["blocks"]) for name, found in routing.items()} == {
        name: 0 if name.startswith("stock") else 4 for name in ORDER
    }
    # All were fed the same images.
    assert {record.input_source for record in report.subjects} == {"reference"}
    assert {record.agreement.images for record in report.subjects if record.agreement is not None} == {8}
    assert "| condmix int8 TFLite |" in (folder / "comparison.md").read_text()
