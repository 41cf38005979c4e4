"""Twins get the forms of the first; the freed file says so and is checked."""

from __future__ import annotations

import onnx
import pytest

from condmix.exporters.errors import GraphError
from condmix.exporters.options import ExportOptions
from condmix.exporters.records import LayerForm, LayerKind, LayerRecord
from condmix.exporters.sizes.build import free_proto, twin_options
from tests.exporters.sizes.sized import SIZES, graph, node


def layer(path: str, form: str | None, *, recognised: bool = True) -> LayerRecord:
    return LayerRecord(
        path=path,
        kind=LayerKind.MIX_CONV,
        recognised=recognised,
        form=form,
        why="",
        details={},
        multiply_adds=1,
        weight_bytes=1,
    )


def test_every_layer_keeps_the_form_that_it_got_at_the_given_size() -> None:
    layers = (
        layer("a", "merged"),
        layer("b", None, recognised=False),
        layer("a", "grouped_conv"),
        layer("a", "hoisted"),
    )
    options = twin_options(ExportOptions(batch=2, condconv="experts", mixconv="merged", dynamic_size=True), layers)
    assert options == ExportOptions(
        batch=2,
        dynamic_size=True,
        forms=(LayerForm(layer="a", form="merged"), LayerForm(layer="a#3", form="hoisted")),
    )


def reshaped(height: int, width: int) -> onnx.ModelProto:
    return graph([node("Reshape", ["x", "to"])], height, width, to=[1, 2, 2, height, width])


def test_the_file_says_what_is_known_of_its_sizes() -> None:
    proto, steps = free_proto([reshaped(*sides) for sides in SIZES], SIZES, {"dynamic_size": "{}"})
    assert {entry.key: entry.value for entry in proto.metadata_props} == {"dynamic_size": "{}"}
    assert [step.note for step in steps] == ["Reshape"]


def test_a_file_that_is_no_valid_onnx_is_a_defect_of_ours() -> None:
    protos = [reshaped(*sides) for sides in SIZES]
    for proto in protos:
        proto.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.INT8
    with pytest.raises(GraphError, match="the graph for any height and width is not valid ONNX"):
        free_proto(protos, SIZES, {})
