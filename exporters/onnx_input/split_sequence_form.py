"""A sequence of parts that are picked by number is a Split: what torch's older exporter writes of scripted code."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import attribute_int, constant_ints, is_op, module_path, static_shape
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.rewrite.rule import Exactness


@dataclass(frozen=True)
class SplitSequenceForm:
    """SplitToSequence read by SequenceAt with stored numbers becomes Split."""

    name: str = "split_sequence_form"
    exactness: Exactness = Exactness.EXACT

    def match(self, node: ir.Node) -> Replacement | None:
        """The sequence, when nothing else reads it and its parts are stored."""
        if not is_op(node, "SplitToSequence") or len(node.inputs) < 2 or node.outputs[0].is_graph_output():
            return None
        source, lengths = node.inputs[0], constant_ints(node.inputs[1])
        picks = [use.node for use in node.outputs[0].uses()]
        numbers = [constant_ints(pick.inputs[1]) if is_op(pick, "SequenceAt") else None for pick in picks]
        if source is None or lengths is None or any(found is None or len(found) != 1 for found in numbers):
            return None
        shape = static_shape(source)
        axis = attribute_int(node, "axis", 0) % len(shape)
        length = node.inputs[1]
        if length is not None and length.shape is not None and len(length.shape) == 0:
            # One number stands for parts of that length, the last one perhaps shorter.
            each = lengths[0]
            lengths = tuple(min(each, shape[axis] - first) for first in range(0, shape[axis], each))
        if sum(lengths) != shape[axis]:
            return None
        builder = NodeBuilder(module_path(picks[0]) if picks else module_path(node))
        shapes = [(*shape[:axis], part, *shape[axis + 1 :]) for part in lengths]
        parts = builder.node("Split", [source, builder.ints(lengths, "lengths")], shapes, attributes={"axis": axis})
        results = tuple(
            (pick.outputs[0], parts[found[0] % len(parts)])
            for pick, found in zip(picks, numbers, strict=True)
            if found is not None
        )
        # Two readers of one part: its name can be taken over once.
        if len({id(new) for _, new in results}) != len(results):
            return None
        return Replacement(removed=(node, *picks), results=results, builder=builder)
