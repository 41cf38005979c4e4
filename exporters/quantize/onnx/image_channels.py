"""The image gets a fourth channel of zeros where a convolution reads three: ONNX Runtime's direct int8 kernel takes
channels by four, and copies every window of the image otherwise. Exact: the added weights are zero as well.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import attribute_int, constant, is_op, module_path
from condmix.exporters.quantize.onnx.dense_groups import replace_constant

CHANNELS_AT_ONCE = 4


def fill_image_channels(graph: ir.Graph, float_layers: Collection[str]) -> int:
    """Add the zero channels in place where every reader of an image is such a convolution; returns how many."""
    added = 0
    for image in graph.inputs:
        readers = [use.node for use in image.uses()]
        if image.shape is None or len(image.shape) != 4 or image.is_graph_output() or not readers:
            continue
        channels = image.shape[1]
        if not isinstance(channels, int):
            continue
        more = -channels % CHANNELS_AT_ONCE
        if more and all(_is_copied(node, image) and module_path(node) not in float_layers for node in readers):
            _fill(graph, image, readers, channels, more)
            added += more
    return added


def _is_copied(node: ir.Node, image: ir.Value) -> bool:
    """A convolution of windows larger than a point, with all channels in one group."""
    weight = constant(node.inputs[1]) if is_op(node, "Conv") else None
    if weight is None or weight.ndim != 4 or node.inputs[0] is not image:
        return False
    return attribute_int(node, "group", 1) == 1 and int(np.prod(weight.shape[2:])) > 1


def _fill(graph: ir.Graph, image: ir.Value, readers: list[ir.Node], channels: int, more: int) -> None:
    builder = NodeBuilder("")
    assert image.shape is not None
    batch, *size = (length if isinstance(length, int) else str(length) for length in image.shape)
    shape = (batch, channels + more, *size[1:])
    pads = builder.ints((0, 0, 0, 0, 0, more, 0, 0), f"{image.name}/channel_pads")
    filled = builder.one("Pad", [image, pads], shape, role=f"{image.name}/filled")
    for value in builder.constants:
        graph.register_initializer(value)
    graph.insert_before(graph[0], builder.nodes)
    for node in readers:
        weight = constant(node.inputs[1])
        assert weight is not None
        replace_constant(graph, node, 1, np.pad(weight, ((0, 0), (0, more), (0, 0), (0, 0))))
        node.replace_input_with(0, filled)
