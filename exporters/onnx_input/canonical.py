"""One way of writing what exporters write differently: explicit pads, and channels before height and width.

Exact, on a graph whose shapes are known. TensorFlow's exporters pad by `auto_pad` and take images as (height, width,
channels).
"""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import attribute_ints, attribute_string, is_op, static_shape
from condmix.exporters.onnx_input.affine_form import AffineForm
from condmix.exporters.onnx_input.cancel_transposes import CancelTransposes
from condmix.exporters.onnx_input.channels_first_form import CHANNELS_FIRST, CHANNELS_LAST, ChannelsFirstForm
from condmix.exporters.onnx_input.moved_ones_form import MovedOnesForm
from condmix.exporters.onnx_input.only_element_form import OnlyElementForm
from condmix.exporters.onnx_input.split_sequence_form import SplitSequenceForm
from condmix.exporters.onnx_input.windows import explicit_pads
from condmix.exporters.rewrite.hard_swish_form import HardSwishForm
from condmix.exporters.rewrite.relu6_gate import Relu6Gate
from condmix.exporters.rewrite.rule import Rule

CANONICAL_RULES: tuple[Rule, ...] = (
    SplitSequenceForm(),
    OnlyElementForm(),
    MovedOnesForm(),
    CancelTransposes(),
    ChannelsFirstForm(),
    AffineForm(),
    Relu6Gate(),
    HardSwishForm(),
)
"""Run with the tidying rules on a graph that somebody else wrote."""


def resolve_auto_pad(model: ir.Model) -> int:
    """Every Conv and pooling has explicit pads; returns how many had not."""
    count = 0
    for node in model.graph:
        if not is_op(node, "Conv", "MaxPool", "AveragePool") or "auto_pad" not in node.attributes:
            continue
        auto_pad = attribute_string(node, "auto_pad", "NOTSET")
        source = node.inputs[0]
        assert source is not None
        sizes = static_shape(source)[2:]
        if is_op(node, "Conv"):
            weight = node.inputs[1]
            assert weight is not None
            kernel = static_shape(weight)[2:]
        else:
            kernel = attribute_ints(node, "kernel_shape", ())
        ones = (1,) * len(kernel)
        strides, dilations = attribute_ints(node, "strides", ones), attribute_ints(node, "dilations", ones)
        pads = explicit_pads(auto_pad, attribute_ints(node, "pads", ()), sizes, kernel, strides, dilations)
        node.attributes.pop("auto_pad")
        node.attributes["pads"] = ir.AttrInt64s("pads", pads)
        count += auto_pad != "NOTSET"
    return count


def channels_first_input(model: ir.Model, value: ir.Value) -> None:
    """The input (batch, height, width, channels) becomes (batch, channels, height, width), turned inside the graph."""
    batch, height, width, channels = static_shape(value)
    builder = NodeBuilder("")
    readers = list(value.uses())
    turned = builder.one("Transpose", [value], (batch, height, width, channels), attributes={"perm": CHANNELS_LAST})
    value.shape = ir.Shape((batch, channels, height, width))
    turned.name, turned.type = f"{value.name}/channels_last", value.type
    for node, index in readers:
        node.replace_input_with(index, turned)
    model.graph.insert_before(model.graph[0], builder.nodes)


def transposed_readers(value: ir.Value) -> Iterator[bool]:
    """Of every reader of an input, whether it first moves the last axis to the front."""
    for use in value.uses():
        node = use.node
        yield is_op(node, "Transpose") and attribute_ints(node, "perm", ()) == CHANNELS_FIRST
