"""A squeeze-excite gate repeated along the image's rows, where the image has many positions and few channels.

ONNX Runtime keeps int8 images channels last and multiplies with a gate one position at a time: for 32 channels at
112x112 that takes three times as long as a product of equal shapes. A gate as wide as a row is one span a row. Exact:
the same numbers, and the gate is tiny.
"""

from __future__ import annotations

from collections.abc import Collection

import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import constant, is_op, module_path

MOST_CHANNELS = 256
FEWEST_POSITIONS = 400
"""Measured on CondConv-EfficientNet-B0 (x86): its first five gates gain, the others, 14x14 and smaller, do not."""


def widen_gates(graph: ir.Graph, float_layers: Collection[str]) -> int:
    """Repeat such gates in place; returns how many. Sizes that are not known are left alone."""
    widened = 0
    for node in list(graph):
        if not is_op(node, "Mul") or module_path(node) in float_layers:
            continue
        for place in (0, 1):
            image, gate = node.inputs[1 - place], node.inputs[place]
            width = None if image is None or gate is None else _width(image, gate)
            if width is None or gate is None:
                continue
            _repeat(graph, node, place, gate, width)
            widened += 1
            break
    return widened


def _width(image: ir.Value, gate: ir.Value) -> int | None:
    """Of the image, where the other is its gate and worth repeating."""
    if image.shape is None or gate.shape is None or len(image.shape) != 4 or len(gate.shape) != 4:
        return None
    _, channels, height, width = image.shape
    if not (isinstance(channels, int) and isinstance(height, int) and isinstance(width, int)):
        return None
    if constant(gate) is not None or gate.shape[0] != image.shape[0] or tuple(gate.shape)[1:] != (channels, 1, 1):
        return None
    return width if channels <= MOST_CHANNELS and height * width >= FEWEST_POSITIONS else None


def _repeat(graph: ir.Graph, node: ir.Node, place: int, gate: ir.Value, width: int) -> None:
    assert gate.shape is not None
    builder = NodeBuilder(module_path(node))
    stem = f"{node.outputs[0].name}/gate"
    repeats = builder.ints((1, 1, 1, width), f"{stem}_repeats")
    shape = tuple(length if isinstance(length, int) else str(length) for length in gate.shape)
    wide = builder.one("Tile", [gate, repeats], (*shape[:3], width), role="wide_gate")
    wide.name = f"{stem}_row"
    for value in builder.constants:
        graph.register_initializer(value)
    graph.insert_before(node, builder.nodes)
    node.replace_input_with(place, wide)
