"""What depends on shapes and stored numbers alone, through loops as well."""

from __future__ import annotations

import onnx

from condmix.exporters.onnx_input.fixed_values import fixed_values, inner_names, runs_a_fixed_number_of_times
from tests.exporters.onnx_input.loops import image_loop, nested_loop


def loop_of(model: onnx.ModelProto) -> onnx.NodeProto:
    return next(node for node in model.graph.node if node.op_type == "Loop")


def test_shapes_are_fixed_and_images_are_not() -> None:
    fixed = fixed_values(image_loop().graph)
    assert {"shape", "count", "kernel", "ended", "listed"} <= fixed
    assert not {"x", "y"} & fixed


def test_a_loop_is_fixed_by_its_count_and_its_condition() -> None:
    for by_image, expected in (("", True), ("count", False), ("condition", False)):
        model = image_loop(by_image=by_image, opset=12)
        assert runs_a_fixed_number_of_times(loop_of(model), fixed_values(model.graph)) is expected


def test_what_is_carried_is_fixed_only_if_its_step_is() -> None:
    model = image_loop()
    body = loop_of(model).attribute[0].g
    step = next(node for node in body.node if node.output[0] == "next")
    step.CopyFrom(onnx.helper.make_node("Size", ["x"], ["next"]))
    assert "ended" in fixed_values(model.graph)
    step.CopyFrom(onnx.helper.make_node("ArgMax", ["x"], ["next"]))
    fixed = fixed_values(model.graph)
    assert not {"ended", "listed"} & fixed


def test_a_loop_reads_what_its_body_reads_from_outside() -> None:
    assert {"count", "yes", "start", "x", "kernel"} <= inner_names(loop_of(image_loop()))
    assert {"two", "three", "unit", "x"} <= inner_names(loop_of(nested_loop()))
