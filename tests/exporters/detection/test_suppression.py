"""Suppression in a file: bit for bit the definition's, at every batch; what it cannot be put behind."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from condmix.exporters.detection.proof import _compare, draw_crowds
from condmix.exporters.detection.suppression import OUTPUTS, suppression_alone, with_suppression
from condmix.exporters.errors import GraphError
from condmix.runtime.detection.settings import SuppressionSettings
from condmix.runtime.onnx_session import OnnxRuntimeBackend


def run(proto, feed):
    return OnnxRuntimeBackend().open(proto.SerializeToString(), threads=1).run(feed)


@pytest.mark.parametrize(
    ("anchors", "classes", "settings"),
    [
        (192, 5, SuppressionSettings()),
        (192, 5, SuppressionSettings(score_threshold=0.0, iou_threshold=0.0)),
        (192, 5, SuppressionSettings(score_threshold=0.5, iou_threshold=1.0, max_detections=3)),
        (50, 1, SuppressionSettings(score_threshold=0.1, max_detections=100)),
        (3, 2, SuppressionSettings(score_threshold=0.1, max_detections=100)),
        (300, 20, SuppressionSettings(iou_threshold=0.3, max_detections=30)),
    ],
)
def test_crowds_are_thinned_as_defined(anchors, classes, settings):
    drawn = draw_crowds(anchors, classes)
    problems: list[str] = []
    results = run(suppression_alone("N", anchors, classes, settings), drawn)
    assert _compare(drawn, results, settings, "drawn", problems) > 0
    assert problems == []
    count = min(settings.max_detections, anchors * classes)
    assert {name: results[name].shape[1:] for name in OUTPUTS} == {
        "detection_boxes": (count, 4),
        "detection_scores": (count,),
        "detection_classes": (count,),
        "detection_count": (),
    }


def test_what_is_behind_the_count_is_empty_and_a_picture_without_boxes_is_fine():
    drawn = draw_crowds(30, 2)
    results = run(suppression_alone("N", 30, 2, SuppressionSettings(score_threshold=0.9)), drawn)
    assert results["detection_count"][0] == 0
    for index, count in enumerate(results["detection_count"]):
        assert not results["detection_boxes"][index, count:].any()
        assert not results["detection_scores"][index, count:].any()
        assert (results["detection_classes"][index, count:] == -1).all()
        assert (results["detection_classes"][index, :count] >= 0).all()


def test_pictures_do_not_depend_on_their_neighbours():
    drawn = draw_crowds(60, 3)
    proto = suppression_alone("N", 60, 3, SuppressionSettings())
    together = run(proto, drawn)
    for index in (1, 4):
        alone = run(proto, {name: value[[index]] for name, value in drawn.items()})
        assert all(np.array_equal(alone[name][0], together[name][index]) for name in OUTPUTS)


def heads(boxes=(2, 10, 4), scores=(2, 10, 3), names=("boxes", "scores")):
    """A graph whose outputs are its inputs."""
    shapes = dict(zip(names, (boxes, scores), strict=True))
    inputs = [helper.make_tensor_value_info(f"{name}_in", TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    nodes = [helper.make_node("Identity", [f"{name}_in"], [name]) for name in shapes]
    graph = helper.make_graph(nodes, "heads", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def test_the_heads_stay_behind_the_detections():
    before = heads()
    after = with_suppression(before, SuppressionSettings(max_detections=7))
    assert [output.name for output in after.graph.output] == [*OUTPUTS, "boxes", "scores"]
    assert [output.name for output in before.graph.output] == ["boxes", "scores"]
    drawn = {name: value[:2] for name, value in draw_crowds(10, 3).items()}
    results = run(after, {f"{name}_in": value for name, value in drawn.items()})
    assert np.array_equal(results["scores"], drawn["scores"])
    assert results["detection_boxes"].shape == (2, 7, 4)
    onnx.checker.check_model(after, full_check=True)


@pytest.mark.parametrize(
    "proto",
    [heads(names=("boxes", "logits")), heads(scores=(2, 30)), heads(scores=(2, "anchors", 3))],
    ids=["no scores", "flat scores", "any number of anchors"],
)
def test_a_graph_without_such_heads_is_refused(proto):
    with pytest.raises(GraphError, match="suppression needs"):
        with_suppression(proto, SuppressionSettings())
