"""Explicit padding in front of a convolution, read as numbers."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from condmix.exporters.graph.facts import attribute_string, constant, constant_ints, is_op, static_shape


@dataclass(frozen=True, kw_only=True)
class SpatialPads:
    """A Pad node that adds zeros on the two spatial axes of `source`, and nothing else."""

    node: ir.Node
    source: ir.Value
    pads: tuple[int, int, int, int]
    """Top, left, bottom, right."""

    def plus(self, pads: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        """These pads and those of the convolution behind, in one."""
        top, left, bottom, right = (own + other for own, other in zip(self.pads, pads, strict=True))
        return top, left, bottom, right


def spatial_zero_pads(value: ir.Value) -> SpatialPads | None:
    """The Pad that produces a 4-D value, when it is constant, of zeros, and spatial only; else None."""
    node = value.producer()
    if node is None or not is_op(node, "Pad") or attribute_string(node, "mode", "constant") != "constant":
        return None
    source, amounts = node.inputs[0], constant_ints(node.inputs[1])
    if source is None or amounts is None or len(static_shape(source)) != 4:
        return None
    fill = constant(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] is not None else None
    if len(node.inputs) > 2 and node.inputs[2] is not None and (fill is None or fill.any()):
        return None
    axes = constant_ints(node.inputs[3]) if len(node.inputs) > 3 and node.inputs[3] is not None else (0, 1, 2, 3)
    if axes is None:
        return None
    begin, end = [0] * 4, [0] * 4
    for position, axis in enumerate(axes):
        begin[axis % 4], end[axis % 4] = amounts[position], amounts[position + len(axes)]
    if any(begin[:2]) or any(end[:2]) or min(begin + end) < 0:
        return None
    return SpatialPads(node=node, source=source, pads=(begin[2], begin[3], end[2], end[3]))
