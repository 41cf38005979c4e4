"""BatchNorm behind any other Concat on the channel axis becomes one BatchNorm a branch.

The single BatchNorms then fold into the convolutions of their branches. Applied only when every branch is a
convolution that nothing else reads, so that all of them disappear.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.batchnorm import batchnorm_affine
from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import (
    attribute_int,
    constant,
    is_op,
    module_path,
    only_consumer,
    static_shape,
)
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.named.condconv import is_condconv
from condmix.exporters.named.mixconv import is_mixconv
from condmix.exporters.rewrite.rule import Exactness, Refusal


@dataclass(frozen=True)
class FoldBatchnormThroughConcat:
    """Concat -> BatchNormalization becomes BatchNormalization -> Concat."""

    name: str = "fold_batchnorm_through_concat"
    exactness: Exactness = Exactness.EXACT

    def match(self, node: ir.Node) -> Replacement | Refusal | None:
        concat = node.inputs[0].producer() if node.inputs and node.inputs[0] is not None else None
        affine = batchnorm_affine(node)
        if concat is None or affine is None or not is_op(concat, "Concat"):
            return None
        if attribute_int(concat, "axis", 0) % len(static_shape(concat.outputs[0])) != 1:
            return None
        branches = [value for value in concat.inputs if value is not None]
        if only_consumer(concat.outputs[0]) is None or not all(_foldable(value) for value in branches):
            return Refusal(reason="not every branch of the Concat is a convolution with no other reader")
        builder = NodeBuilder(module_path(concat))
        parts: list[ir.Value] = []
        first = 0
        for index, value in enumerate(branches):
            shape = static_shape(value)
            channels = slice(first, first + shape[1])
            scale, shift = affine.scale[channels], affine.shift[channels]
            ones = np.ones(shape[1])
            statistics = [
                builder.constant(array.astype(np.float32), f"branch_{index}_{role}")
                for role, array in (
                    ("scale", scale),
                    ("shift", shift),
                    ("mean", 0 * ones),
                    ("variance", ones),
                )
            ]
            # epsilon 0: the scale already holds the division by the standard deviation.
            parts.append(
                builder.one(
                    "BatchNormalization",
                    [value, *statistics],
                    shape,
                    role=f"branch_{index}_norm",
                    attributes={"epsilon": 0.0},
                )
            )
            first += shape[1]
        result = builder.one("Concat", parts, static_shape(node.outputs[0]), attributes={"axis": 1})
        return Replacement(removed=(concat, node), results=((node.outputs[0], result),), builder=builder)


def _foldable(value: ir.Value) -> bool:
    producer = value.producer()
    if producer is None or only_consumer(value) is None:
        return False
    if is_condconv(producer) or is_mixconv(producer):
        return True
    return is_op(producer, "Conv") and constant(producer.inputs[1]) is not None
