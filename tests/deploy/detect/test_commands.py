"""The way of a detector through the command line: a set, a checkpoint, eval and detect; a guard that holds mAP."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.deploy.conftest import Run


@pytest.fixture
def trained(condmix: Run, tmp_path: Path) -> tuple[Path, Path]:
    """A detector trained for one epoch, and a set of eight pictures."""
    weights, known = tmp_path / "detector.pt", tmp_path / "shapes"
    ran = condmix("detection-set", known, "--pictures", 10, "--side", 64, "--json", "-q")
    assert json.loads(ran.out)["pictures"] == 10
    ran = condmix(
        *("train", "ssd_condconv_shapes", "--data", known, "-o", weights, "--epochs", 1, "--batch-size", 4, "--json"),
        *("--set", "width=0.1", "--set", "input_size=64", "-q"),
    )
    assert ran.code == 0, ran.err
    record = json.loads(ran.out)
    assert record["kind"] == "condmix-detector-training"
    assert record["held_out_count"] == 2
    assert set(record["of_class_50"]) == {"circle", "square", "triangle", "star", "digit"}
    return weights, known


def test_from_pictures_to_detections(condmix: Run, trained: tuple[Path, Path], tmp_path: Path) -> None:
    weights, known = trained
    ran = condmix("export", weights, "--detections", "boxes", "-q")
    assert ran.code == 0, ran.err
    file = weights.with_suffix(".onnx")
    ran = condmix("eval", weights, file, "--labelled", known, "-o", tmp_path / "report", "--json", "-q")
    assert ran.code == 0, ran.err
    first, second = json.loads(ran.out)["files"]
    assert first["match"] is None
    assert second["precision"]["at_50"] == pytest.approx(first["precision"]["at_50"], abs=1e-6)
    assert second["match"]["missing"] == second["match"]["extra"] == 0
    assert (tmp_path / "report" / "evaluation.md").read_text().startswith("# Detections\n\n| file | arithmetic |")
    picture = known / "images" / "00000.png"
    drawing = tmp_path / "found.png"
    ran = condmix("detect", file, picture, "-o", drawing, "--score-threshold", 0, "--max-detections", 3, "-q")
    assert ran.code == 0, ran.err
    with Image.open(drawing) as image:
        assert image.size == (512, 512)
    ran = condmix("detect", file, picture, "--score-threshold", 0, "--max-detections", 3, "--json", "-q")
    rows = json.loads(ran.out)["detections"]
    assert len(rows) == 3
    assert all(0 <= row["x_min"] <= row["x_max"] <= 64 for row in rows)


def test_what_cannot_be_done_says_so(condmix: Run, trained: tuple[Path, Path], weights: Path, tmp_path: Path) -> None:
    detector, known = trained
    ran = condmix("eval", detector, "--labelled", known, "-o", tmp_path / "r", "--top", "1", "-q")
    assert (ran.code, "--top: leave it out" in ran.err) == (2, True)
    ran = condmix("detect", weights, known / "images" / "00000.png", "-q")
    assert (ran.code, "is no detector whose anchors are known" in ran.err) == (3, True)
    ran = condmix("detect", detector, tmp_path / "absent.png", "-q")
    assert (ran.code, "absent.png" in ran.err) == (3, True)
    ran = condmix("detection-set", known, "-q")
    assert (ran.code, "nothing in it is replaced" in ran.err) == (2, True)
    ran = condmix("train", "condconv_digits", "--data", known, "-o", tmp_path / "d.pt", "-q")
    assert (ran.code, "--data is about detectors" in ran.err) == (2, True)
    ran = condmix("train", "ssd_condconv_mobilenet_v1", "-o", tmp_path / "d.pt", "-q")
    assert (ran.code, "choose one of ssd_condconv_shapes, ssdlite_mixconv_shapes" in ran.err) == (2, True)
    ran = condmix("export", detector, "--int8", "--calib", known / "images", "--evaluate", known / "images", "-q")
    assert (ran.code, "a detector is judged by its boxes" in ran.err) == (3, True)
