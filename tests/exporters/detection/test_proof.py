"""The proof of suppression: it holds, and it fails where one number is another."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from condmix.exporters.detection import proof
from condmix.exporters.detection.proof import prove_suppression, suppressed
from condmix.runtime.detection.settings import SuppressionSettings

ANCHORS, CLASSES = 24, 2


@pytest.fixture
def network() -> onnx.ModelProto:
    """Boxes and scores that are slices of a picture (1, 1, anchors, 4 + classes)."""
    value = helper.make_tensor_value_info
    nodes = [
        helper.make_node("Reshape", ["input", "shape"], ["rows"]),
        helper.make_node("Split", ["rows", "sizes"], ["boxes", "scores"], axis=2),
    ]
    constants = [
        numpy_helper.from_array(np.array([0, ANCHORS, 4 + CLASSES], np.int64), "shape"),
        numpy_helper.from_array(np.array([4, CLASSES], np.int64), "sizes"),
    ]
    graph = helper.make_graph(
        nodes,
        "slices",
        [value("input", TensorProto.FLOAT, ("N", 1, ANCHORS, 4 + CLASSES))],
        [
            value("boxes", TensorProto.FLOAT, ("N", ANCHORS, 4)),
            value("scores", TensorProto.FLOAT, ("N", ANCHORS, CLASSES)),
        ],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


@pytest.fixture
def pictures() -> np.ndarray:
    drawn = proof.draw_crowds(ANCHORS, CLASSES)
    return np.concatenate((drawn["boxes"], drawn["scores"]), axis=2)[:, None]


def test_it_holds_on_the_file_s_pictures_and_on_crowds(network, pictures):
    _, result = suppressed(network, pictures, SuppressionSettings())
    assert result.passed
    assert result.pictures == 16
    assert (
        result.sentence() == f"suppression keeps the boxes of its definition, bit for bit: {result.kept} on 16 pictures"
    )
    assert result.to_dict() == {"pictures": 16, "kept": result.kept, "problems": [], "passed": True}


def test_another_threshold_in_the_file_is_seen(network, pictures):
    file, _ = suppressed(network, pictures, SuppressionSettings(iou_threshold=0.3))
    result = prove_suppression(file, pictures, SuppressionSettings(iou_threshold=0.6))
    assert not result.passed
    assert "images from 0, picture" in result.problems[0]
    assert result.sentence().startswith("suppression differs from its definition: images from 0, picture")


def test_nothing_kept_anywhere_proves_nothing(network, pictures, monkeypatch):
    monkeypatch.setattr(
        proof, "draw_crowds", lambda anchors, classes: {k: v * 0 for k, v in DRAWN(anchors, classes).items()}
    )
    _, result = suppressed(network, pictures * 0, SuppressionSettings())
    assert result.problems == ()
    assert not result.passed


DRAWN = proof.draw_crowds
