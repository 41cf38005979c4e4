"""A BatchNorm that was taken apart behind a convolution is one again: x * scale + shift, a number a channel each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import constant, is_op, module_path, only_consumer, static_shape
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.rewrite.rule import Exactness


class ConstantInput:
    """A node whose one input is a constant, the other not."""

    def __init__(self, node: ir.Node) -> None:
        self.node = node
        self.source: ir.Value | None = None
        self.numbers: np.ndarray | None = None
        self.constant_first = False
        if len(node.inputs) == 2:
            arrays = [constant(value) for value in node.inputs]
            if (arrays[0] is None) != (arrays[1] is None):
                self.constant_first = arrays[0] is not None
                self.numbers = arrays[0] if self.constant_first else arrays[1]
                self.source = node.inputs[1] if self.constant_first else node.inputs[0]

    def per_channel(self) -> np.ndarray | None:
        """The constant as one number a channel of an image; None where it is anything else."""
        if self.numbers is None or self.source is None or self.numbers.dtype != np.float32:
            return None
        shape = static_shape(self.source)
        if len(shape) != 4 or static_shape(self.node.outputs[0]) != shape or self.numbers.ndim > 4:
            return None
        full = self.numbers.reshape((1,) * (4 - self.numbers.ndim) + self.numbers.shape)
        if full.shape[0] != 1 or full.shape[2:] != (1, 1):
            return None
        return np.broadcast_to(full, (1, shape[1], 1, 1)).reshape(-1)


@dataclass(frozen=True)
class AffineForm:
    """Behind a convolution, or a Concat of them, x * scale and x + shift (and both) become BatchNormalization.

    So folding sees one form of it, whoever took the BatchNorm apart.
    """

    name: str = "affine_form"
    exactness: Exactness = Exactness.EXACT

    def match(self, node: ir.Node) -> Replacement | None:
        """The last node of a chain of at most two, behind a convolution."""
        if not is_op(node, "Mul", "Div", "Add", "Sub"):
            return None
        reader = only_consumer(node.outputs[0])
        if is_op(node, "Mul", "Div") and reader is not None and is_op(reader, "Add", "Sub"):
            following = ConstantInput(reader)
            if following.per_channel() is not None:
                return None
        scale, shift, nodes, source = None, None, [node], None
        here = ConstantInput(node)
        if is_op(node, "Add", "Sub"):
            shift = _shift(here)
            before = here.source.producer() if here.source is not None else None
            if shift is None or here.source is None:
                return None
            source = here.source
            if before is not None and is_op(before, "Mul", "Div") and only_consumer(before.outputs[0]) is node:
                inner = ConstantInput(before)
                scale = _scale(inner)
                if scale is not None and inner.source is not None:
                    nodes, source = [before, node], inner.source
            if is_op(node, "Sub") and here.constant_first:
                if scale is None:
                    return None
                scale = -scale
        else:
            scale, source = _scale(here), here.source
        if source is None or (scale is None and shift is None) or not _is_convolution(source):
            return None
        channels = static_shape(source)[1]
        builder = NodeBuilder(module_path(nodes[0]))
        arrays = {
            "scale": np.ones(channels) if scale is None else scale,
            "shift": np.zeros(channels) if shift is None else shift,
            "mean": np.zeros(channels),
            "variance": np.ones(channels),
        }
        stored = [builder.constant(array.astype(np.float32), role) for role, array in arrays.items()]
        shape = static_shape(node.outputs[0])
        result = builder.one("BatchNormalization", [source, *stored], shape, attributes={"epsilon": 0.0})
        return Replacement(removed=tuple(nodes), results=((node.outputs[0], result),), builder=builder)


def _scale(found: ConstantInput) -> np.ndarray | None:
    numbers = found.per_channel()
    if numbers is None or (is_op(found.node, "Div") and (found.constant_first or not numbers.all())):
        return None
    return 1.0 / numbers.astype(np.float64) if is_op(found.node, "Div") else numbers


def _shift(found: ConstantInput) -> np.ndarray | None:
    numbers = found.per_channel()
    if numbers is None or not is_op(found.node, "Sub"):
        return numbers
    return numbers if found.constant_first else -numbers


def _is_convolution(value: ir.Value) -> bool:
    """Whether a value comes from a convolution, or a Concat of nothing else, and has no other reader."""
    node = value.producer()
    if node is None or only_consumer(value) is None:
        return False
    if is_op(node, "Concat"):
        sources = [item.producer() for item in node.inputs if item is not None]
        return bool(sources) and all(is_op(source, "Conv") for source in sources)
    return is_op(node, "Conv")
