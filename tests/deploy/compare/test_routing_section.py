"""The section `routing`: of files with a record of ours; of others, why nothing is known."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from condmix.deploy.compare.routing_section import routing_of_file, routing_section, routing_values
from condmix.runtime.bench.reference import Limit, Reference, write_reference
from tests.runtime.bench.reports import make_report
from tests.runtime.conftest import build

LAYERS = [
    {"path": "blocks.0.expand", "kind": "CondConv", "details": {"experts": 3, "routing": "gates"}},
    {"path": "blocks.1.depthwise", "kind": "MixConv", "details": {"kernels": [[3, 3]]}},
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """An ONNX file with a routing, its record and its reference."""
    weight = np.eye(4, 3, dtype=np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["product"]),
        helper.make_node("Sigmoid", ["product"], ["gates"], name="blocks.0.routing/Sigmoid"),
        helper.make_node("Relu", ["gates"], ["y"]),
    ]
    path = tmp_path / "net.onnx"
    path.write_bytes(build(nodes, inputs={"x": ["n", 4]}, outputs={"y": ["n", 3]}, constants={"w": weight}))
    record = {"artifacts": [{"artifact": {"sha256": sha256(path)}, "layers": LAYERS}]}
    (tmp_path / "net.condmix.json").write_text(json.dumps(record))
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_values_come_from_the_layers_or_the_drift_of_the_record() -> None:
    assert routing_values({"layers": LAYERS}) == ("gates",)
    assert routing_values({"layers": [{"path": "a"}], "routing_drift": [{"block": "sigmoid_1"}, {}]}) == ("sigmoid_1",)
    assert routing_values({"layers": "damaged", "routing_drift": None}) == ()


def test_a_file_of_ours_on_given_images_or_on_its_reference(file: Path) -> None:
    images = {"x": np.zeros((4, 4), np.float32)}
    found = routing_of_file(file, sha256(file), images, "four images")
    assert (found.blocks[0].block, found.blocks[0].images, found.source) == ("blocks.0.routing", 4, "four images")
    assert found.blocks[0].mean == (0.5, 0.5, 0.5)
    beside = routing_of_file(file, sha256(file), None)
    assert beside.source == "no routing is known: there are no images beside net.onnx to run it on"
    outputs = {"y": np.zeros((2, 3), np.float32)}
    reference = Reference(
        inputs={"x": np.ones((2, 4), np.float32)},
        outputs=outputs,
        outputs_are="PyTorch",
        limits={"net.onnx": Limit(max_abs_difference=1.0)},
    )
    write_reference(file.with_name("net.reference.npz"), reference)
    beside = routing_of_file(file, sha256(file), None)
    assert beside.source == "2 images of net.reference.npz"
    assert beside.blocks[0].images == 2


def test_files_of_others_and_damage_are_said_in_words(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.onnx"
    other.write_bytes(file.read_bytes())
    found = routing_of_file(other, "0" * 64, None)
    assert found.blocks == ()
    assert "no routing is known: there is no record beside it (other.condmix.json)" in found.source
    file.with_name("net.reference.npz").write_bytes(b"no archive")
    assert routing_of_file(file, sha256(file), None).source.startswith("no routing is known: ")
    wrong = routing_of_file(file, sha256(file), {"x": np.zeros((2, 9), np.float32)})
    assert "the file takes 4" in wrong.source


def test_the_section_looks_into_each_file_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = make_report()
    records = [replace(one, subject=replace(one.subject, file=file), sha256=sha256(file)) for one in report.subjects]
    records[1] = replace(records[1], subject=replace(records[1].subject, threads=2))
    looked: list[Path] = []

    def look(path: Path, *arguments: object) -> object:
        looked.append(path)
        return routing_of_file(path, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("condmix.deploy.compare.routing_section.routing_of_file", look)
    section = routing_section(replace(report, subjects=tuple(records)), {"a": {"x": np.zeros((4, 4), np.float32)}})
    assert list(section) == ["a", "half"]
    assert section["a"] == section["half"]
    assert looked == [file]
