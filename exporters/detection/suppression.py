"""Non-maximum suppression inside an ONNX file: standard operators, a fixed number of detections, any batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from condmix.exporters.errors import GraphError
from condmix.runtime.detection.settings import SuppressionSettings

BOXES, SCORES = "boxes", "scores"
OUTPUTS = ("detection_boxes", "detection_scores", "detection_classes", "detection_count")
_PREFIX = "suppression"
OPSET = 18
IR_VERSION = 9


@dataclass(kw_only=True)
class _Tail:
    """The nodes and constants in the making."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, name: str, value: object, dtype: type[np.generic]) -> str:
        full = f"{_PREFIX}.{name}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), full))
        return full

    def node(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], f"{_PREFIX}.{output}", **attributes))
        return output


def with_suppression(proto: onnx.ModelProto, settings: SuppressionSettings) -> onnx.ModelProto:
    """A copy whose outputs are `detection_boxes` (batch, n, 4), `detection_scores` (batch, n), `detection_classes`
    (batch, n) int64 and `detection_count` (batch,) int64, and behind them `boxes` and `scores` as before.

    n is `max_detections`, or all boxes of all classes where those are fewer. Best first; behind the count boxes and
    scores are 0 and classes -1. Boxes are taken as x_min, y_min, x_max, y_max. Raises GraphError for a graph without
    `boxes` (batch, anchors, 4) and `scores` (batch, anchors, classes) as outputs.
    Source: ONNX, NonMaxSuppression-11, ScatterND-18, TopK-11, GatherND-13.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    found = {output.name: _dims(output) for output in copy.graph.output}
    if not {BOXES, SCORES} <= set(found) or len(found[BOXES]) != 3 or len(found[SCORES]) != 3:
        message = f"suppression needs outputs boxes (batch, anchors, 4) and scores (batch, anchors, classes): {found}"
        raise GraphError(message)
    batch, anchors, classes = found[SCORES]
    if not isinstance(anchors, int) or not isinstance(classes, int):
        message = f"suppression needs a fixed number of anchors and classes: {found}"
        raise GraphError(message)
    tail, count = _tail(anchors, classes, settings)
    copy.graph.node.extend(tail.nodes)
    copy.graph.initializer.extend(tail.constants)
    before = list(copy.graph.output)
    del copy.graph.output[:]
    copy.graph.output.extend([*_outputs(batch, count), *before])
    onnx.checker.check_model(copy, full_check=True)
    return copy


def suppression_alone(
    batch: int | str, anchors: int, classes: int, settings: SuppressionSettings, *, opset: int = OPSET
) -> onnx.ModelProto:
    """The tail as a model of its own, with `boxes` and `scores` as inputs: what proofs feed with boxes of their own."""
    tail, count = _tail(anchors, classes, settings)
    shapes = {BOXES: (batch, anchors, 4), SCORES: (batch, anchors, classes)}
    graph = helper.make_graph(
        tail.nodes,
        _PREFIX,
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()],
        _outputs(batch, count),
        tail.constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=IR_VERSION)


def _tail(anchors: int, classes: int, settings: SuppressionSettings) -> tuple[_Tail, int]:
    tail = _Tail()
    count = min(settings.max_detections, anchors * classes)
    by_class = tail.node("Transpose", [SCORES], "scores_by_class", perm=[0, 2, 1])
    limits = [
        tail.constant("most_of_class", [count], np.int64),
        tail.constant("iou_threshold", [settings.iou_threshold], np.float32),
        tail.constant("score_threshold", [settings.score_threshold], np.float32),
    ]
    places = tail.node("NonMaxSuppression", [BOXES, by_class, *limits], "kept_places")
    # All scores but those kept become 0: so the best of each image can be taken, however many it kept.
    zero = numpy_helper.from_array(np.zeros(1, np.float32), "value")
    empty = tail.node("ConstantOfShape", [tail.node("Shape", [by_class], "scores_shape")], "no_scores", value=zero)
    kept = tail.node("ScatterND", [empty, places, tail.node("GatherND", [by_class, places], "kept_scores")], "kept")
    rows = tail.node("Reshape", [kept, tail.constant("a_row", [0, -1], np.int64)], "kept_rows")
    tail.nodes.append(
        helper.make_node(
            "TopK",
            [rows, tail.constant("count", [count], np.int64)],
            [OUTPUTS[1], "best_places"],
            f"{_PREFIX}.best",
            axis=1,
            largest=1,
            sorted=1,
        )
    )
    size = tail.constant("anchors", anchors, np.int64)
    zero_score = tail.constant("zero", 0, np.float32)
    is_one = tail.node("Greater", [OUTPUTS[1], zero_score], "is_detection")
    labels = tail.node("Div", ["best_places", size], "best_classes")
    tail.node("Where", [is_one, labels, tail.constant("none", -1, np.int64)], OUTPUTS[2])
    anchor = tail.node("Mod", ["best_places", size], "best_anchors")
    last = tail.constant("last_axis", [-1], np.int64)
    best = tail.node(
        "GatherND", [BOXES, tail.node("Unsqueeze", [anchor, last], "best_indices")], "best_boxes", batch_dims=1
    )
    is_box = tail.node("Unsqueeze", [is_one, last], "is_box")
    tail.node("Where", [is_box, best, zero_score], OUTPUTS[0])
    ones = tail.node("Cast", [is_one], "ones", to=TensorProto.INT64)
    tail.node("ReduceSum", [ones, tail.constant("axis", [1], np.int64)], OUTPUTS[3], keepdims=0)
    return tail, count


def _outputs(batch: int | str, count: int) -> list[onnx.ValueInfoProto]:
    kinds = (TensorProto.FLOAT, TensorProto.FLOAT, TensorProto.INT64, TensorProto.INT64)
    shapes = ((batch, count, 4), (batch, count), (batch, count), (batch,))
    return [helper.make_tensor_value_info(*item) for item in zip(OUTPUTS, kinds, shapes, strict=True)]


def _dims(value: onnx.ValueInfoProto) -> tuple[int | str, ...]:
    return tuple(dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim)
