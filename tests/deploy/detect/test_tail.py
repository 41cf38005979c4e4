"""What a detector's file says of its outputs, and how that is read again."""

import json

import numpy as np
import pytest

from condmix.deploy.detect.flags import DetectionFlags, check_detection_flags
from condmix.deploy.detect.judge import DetectionJudge
from condmix.deploy.detect.reading import OutputReader, has_suppression
from condmix.deploy.detect.tail import anchors_in, detection_facts
from condmix.deploy.errors import PlanError
from condmix.runtime.detection.boxes import decode, probabilities

ANCHORS = np.random.default_rng(0).uniform(0.1, 0.9, (6, 4)).astype(np.float32)


def test_a_raw_file_tells_its_anchors_and_a_decoded_one_does_not():
    raw = json.loads(json.dumps(detection_facts("raw", ANCHORS, DetectionFlags())))
    np.testing.assert_array_equal(anchors_in(raw), ANCHORS)
    assert raw["anchor_count"] == 6
    boxes = detection_facts("boxes", ANCHORS, DetectionFlags())
    assert anchors_in(boxes) is None
    assert "suppression" not in boxes
    nms = detection_facts("nms", ANCHORS, DetectionFlags(detections="nms", max_detections=7))
    assert nms["suppression"] == {"score_threshold": 0.3, "iou_threshold": 0.5, "max_detections": 7}
    assert [has_suppression(facts) for facts in (raw, boxes, nms)] == [False, False, True]


def test_raw_and_decoded_outputs_are_read_alike():
    generator = np.random.default_rng(1)
    raw = {"boxes": generator.normal(0, 1, (2, 6, 4)), "scores": generator.normal(0, 2, (2, 6, 3))}
    decoded = {"boxes": decode(raw["boxes"], ANCHORS), "scores": probabilities(raw["scores"])}
    readers = [OutputReader.of(detection_facts(kind, ANCHORS, DetectionFlags())) for kind in ("raw", "nms")]
    for one, other in zip(
        readers[0].corners_and_probabilities(raw), readers[1].corners_and_probabilities(decoded), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    judge = DetectionJudge(known=None, reader=readers[0])  # type: ignore[arg-type]  # only its arrays are asked for
    assert judge.scores(raw).shape == (2, 6 * 7)
    assert judge.accuracy(np.full((2, 42), np.nan)) == 0.0


def test_flags_that_contradict_each_other_are_named_together():
    with pytest.raises(PlanError) as caught:
        check_detection_flags(
            DetectionFlags(detections="boxes"), ["onnx"], {"iou_threshold"}, stage="final", dynamic_size=True
        )
    assert caught.value.problems == (
        "--iou-threshold is about non-maximum suppression: add --detections nms",
        "--detections boxes holds anchors for one size of pictures: it contradicts --dynamic-size",
    )
    flags = DetectionFlags(detections="nms")
    with pytest.raises(PlanError, match="it contradicts --stage named"):
        check_detection_flags(flags, ["onnx"], set(), stage="named", dynamic_size=False)
    check_detection_flags(flags, ["onnx", "tflite"], {"iou_threshold"}, stage="final", dynamic_size=False)
