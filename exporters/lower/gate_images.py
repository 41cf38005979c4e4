"""A squeeze-excite gate as an image of equal numbers: its product then has two images of one shape.

ONNX Runtime multiplies images of one shape within its blocked layout; with a gate of one position it leaves the layout
and comes back. Exact: every position reads the number that it read before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import constant, is_op, module_path, only_consumer
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.lower.channel_axes import channels, is_constant_convolution
from condmix.exporters.lower.choose import CHANNEL_BLOCK
from condmix.exporters.rewrite.rule import Exactness


@dataclass(frozen=True)
class GateImages:
    """image * gate becomes image * Resize(gate), where a convolution with a constant kernel reads the product."""

    name: str = "gate_images"
    exactness: Exactness = Exactness.EXACT

    def match(self, node: ir.Node) -> Replacement | None:
        """The replacement for a product of an image and a gate of whole blocks."""
        found = _gated(node)
        if found is None:
            return None
        image, gate = found
        reader = only_consumer(node.outputs[0])
        if reader is None or not is_op(reader, "Conv") or not is_constant_convolution(reader):
            return None
        assert image.shape is not None
        height, width = image.shape[2], image.shape[3]
        if not isinstance(height, int) or not isinstance(width, int) or height * width == 1:
            return None
        builder = NodeBuilder(module_path(node))
        shape = [length if isinstance(length, int) else str(length.value) for length in image.shape]
        scales = builder.constant(np.asarray([1, 1, height, width], np.float32), "gate_scales")
        nearest = {
            "mode": "nearest",
            "coordinate_transformation_mode": "asymmetric",
            "nearest_mode": "floor",
        }
        whole = builder.one("Resize", [gate, None, scales], shape, role="gate_image", attributes=nearest)
        output = builder.one("Mul", [image, whole], shape, role="gated")
        return Replacement(removed=(node,), results=((node.outputs[0], output),), builder=builder)


def _gated(node: ir.Node) -> tuple[ir.Value, ir.Value] | None:
    """(image, gate) of a product with a gate of one position, both of the same whole blocks of channels."""
    if not is_op(node, "Mul"):
        return None
    for image, gate in ((node.inputs[0], node.inputs[1]), (node.inputs[1], node.inputs[0])):
        if image is None or gate is None or constant(gate) is not None:
            continue
        count = channels(image)
        if count is None or count % CHANNEL_BLOCK or channels(gate) != count:
            continue
        assert gate.shape is not None
        assert image.shape is not None
        if tuple(gate.shape)[2:] == (1, 1) and image.shape[0] == gate.shape[0]:
            return image, gate
    return None
