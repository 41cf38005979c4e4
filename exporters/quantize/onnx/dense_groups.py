"""A grouped convolution with few channels a group, as one with a single group: zeros cost less than small products."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.constants import add_constant
from condmix.exporters.graph.facts import attribute_int, constant, is_op, module_path
from condmix.exporters.quantize.onnx.mixconv import ungrouped

FEW_CHANNELS = 48
"""Input channels of a group up to which the dense product is the faster one (x86 with VNNI; MixNet's 1x1 layers)."""


def ungroup_small_groups(graph: ir.Graph, float_layers: Collection[str]) -> tuple[str, ...]:
    """Write such 1x1 convolutions with one group, in place; returns the names of their results."""
    changed: list[str] = []
    for node in graph:
        if not is_op(node, "Conv") or module_path(node) in float_layers:
            continue
        group, weight = attribute_int(node, "group", 1), constant(node.inputs[1])
        if group == 1 or weight is None or weight.ndim != 4 or np.prod(weight.shape[2:]) != 1:
            continue
        if not 1 < weight.shape[1] <= FEW_CHANNELS:
            continue
        _write(graph, node, ungrouped(weight, group))
        changed.append(node.outputs[0].name or "")
    return tuple(changed)


def _write(graph: ir.Graph, node: ir.Node, weight_oihw: np.ndarray) -> None:
    replace_constant(graph, node, 1, weight_oihw)
    node.attributes["group"] = ir.AttrInt64("group", 1)


def replace_constant(graph: ir.Graph, node: ir.Node, place: int, array: np.ndarray) -> None:
    """Give this node, and no other reader, another constant at an input."""
    old = node.inputs[place]
    value = add_constant(graph, f"{node.outputs[0].name}/input_{place}", array)
    node.replace_input_with(place, value)
    if old is not None and old.name and not old.uses() and not old.is_graph_output():
        graph.initializers.pop(old.name, None)
