"""A detector that comes by --factory gets its tail like one of the zoo: decoded boxes, suppression, in both formats."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from condmix.deploy.cli import run
from condmix.deploy.detect.file import open_detector
from condmix.models.box_coding import decode
from condmix.runtime.detection.settings import SuppressionSettings
from condmix.runtime.detection.suppression import from_fixed_size, suppress
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from tests.deploy.detect import own_detector

SIDE = 64
KEPT = SuppressionSettings(score_threshold=0.45, iou_threshold=0.5)


def export(folder: Path, factory: str, *more: str, code: int = 0) -> None:
    weights = folder / "own.pt"
    torch.save(own_detector.build().state_dict(), weights)
    arguments = ["export", str(weights), "--factory", f"tests.deploy.detect.own_detector:{factory}"]
    arguments += ["--input-size", f"3x{SIDE}x{SIDE}", "-q", "-f", *more]
    assert run(arguments, program="condmix") == code


def test_boxes_and_suppression_are_those_of_pytorch_and_numpy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ("--format", "onnx,tflite", "--detections", "nms", "--score-threshold", "0.45", "-o", str(tmp_path))
    export(tmp_path, "build", *more)
    assert "suppression keeps the boxes of its definition, bit for bit" in capsys.readouterr().out
    images = np.random.default_rng(0).normal(0, 1, (2, 3, SIDE, SIDE)).astype(np.float32)
    module = own_detector.build().eval()
    with torch.no_grad():
        raw = module(torch.from_numpy(images))
    expected = decode(raw["boxes"], torch.from_numpy(module.anchors(SIDE, SIDE))).numpy()
    session = OnnxRuntimeBackend().open(tmp_path / "own.onnx", threads=1)
    tflite = open_detector(tmp_path / "own.tflite")
    boxes, _ = tflite.reader.corners_and_probabilities(tflite.run(images))
    np.testing.assert_allclose(boxes, expected, atol=2e-5)
    for index, image in enumerate(images):
        result = session.run({"input": image[None]})
        np.testing.assert_allclose(result["boxes"][0], expected[index], atol=2e-5)
        (found,) = from_fixed_size(result)
        wanted = suppress(result["boxes"][0], result["scores"][0], KEPT)
        assert len(wanted.classes) > 0
        assert np.array_equal(found.boxes_xyxy, wanted.boxes_xyxy)
        assert np.array_equal(found.classes, wanted.classes)


def test_anchors_that_do_not_fit_are_refused_and_raw_heads_need_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export(tmp_path, "build_with_fewer_anchors", "--detections", "boxes", code=4)
    said = capsys.readouterr().err
    assert "the anchors of factory:tests.deploy.detect.own_detector:build_with_fewer_anchors do not fit" in said
    assert "it gives 5 anchors, boxes [1, 32, 4] and scores [1, 32, 3]: expected boxes [1, 5, 4]" in said
    export(tmp_path, "build_with_fewer_anchors", "-o", str(tmp_path / "raw.onnx"))
    record = json.loads((tmp_path / "raw.condmix.json").read_text(encoding="utf-8"))
    assert record.get("detection") is None
