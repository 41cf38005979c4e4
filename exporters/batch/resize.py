"""Resize under a batch: sizes that name the batch axis become factors, of which a batch has one."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.facts import attribute_string, static_shape


def states_sizes(node: ir.Node) -> bool:
    """Whether a Resize names the lengths of its result."""
    return len(node.inputs) > 3 and node.inputs[3] is not None


def scales_for_sizes(node: ir.Node) -> ir.Value | None:
    """A new constant with the factor of every axis that gives the same result; None where no factor says the same."""
    source = node.inputs[0]
    if source is None or "axes" in node.attributes:
        return None
    if attribute_string(node, "keep_aspect_ratio_policy", "stretch") != "stretch":
        return None
    pairs = zip(static_shape(source), static_shape(node.outputs[0]), strict=True)
    factors = np.asarray([_factor(length, wanted) for length, wanted in pairs], dtype=np.float32)
    return ir.Value(
        name=f"{node.outputs[0].name}/batched_scales",
        shape=ir.Shape(factors.shape),
        type=ir.TensorType(ir.DataType.FLOAT),
        const_value=ir.tensor(factors),
    )


def _factor(length: int, wanted: int) -> np.float32:
    """The length of the result is the product rounded down, so the quotient must not be rounded down itself."""
    factor = np.float32(wanted) / np.float32(length)
    while length * float(factor) < wanted:
        factor = np.nextafter(factor, np.float32(np.inf))
    return factor
