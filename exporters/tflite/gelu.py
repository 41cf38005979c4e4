"""The exact GELU, written out in ONNX as x / sqrt(2), Erf, + 1 and two products; one operator in TFLite."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.facts import constant, is_op, only_consumer


def gelu_end(erf: ir.Node) -> tuple[ir.Value, tuple[ir.Node, ...]] | None:
    """For an Erf that belongs to an exact GELU: its x, and the nodes of the pattern, the last giving the result.

    x * 0.5 * (1 + erf(x / sqrt 2)), with the two products in either order.
    """
    scaled = erf.inputs[0].producer() if erf.inputs and erf.inputs[0] is not None else None
    if scaled is None or not is_op(scaled, "Div", "Mul") or only_consumer(scaled.outputs[0]) is not erf:
        return None
    x, factor = scaled.inputs[0], constant(scaled.inputs[1])
    expected = math.sqrt(2.0) if scaled.op_type == "Div" else math.sqrt(0.5)
    if x is None or factor is None or factor.size != 1 or not np.isclose(float(factor.reshape(-1)[0]), expected):
        return None
    plus = only_consumer(erf.outputs[0])
    if plus is None or not is_op(plus, "Add") or not _has_constant(plus, 1.0):
        return None
    nodes = [scaled, erf, plus]
    missing = {"x", "half"}
    value = plus.outputs[0]
    side: ir.Node | None = None
    while missing:
        product = only_consumer(value)
        if product is None or not is_op(product, "Mul"):
            return None
        other = product.inputs[0] if product.inputs[1] is value else product.inputs[1]
        if "half" in missing and _has_constant(product, 0.5):
            missing.remove("half")
        elif "x" in missing and other is x:
            missing.remove("x")
        elif missing == {"x", "half"} and other is not None and (side := _half_of(other, x)) is not None:
            missing.clear()
            nodes.append(side)
        else:
            return None
        nodes.append(product)
        value = product.outputs[0]
    return x, tuple(nodes)


def _half_of(value: ir.Value, x: ir.Value) -> ir.Node | None:
    """The product 0.5 * x behind a value."""
    node = value.producer()
    if node is None or not is_op(node, "Mul") or only_consumer(value) is None:
        return None
    if not _has_constant(node, 0.5) or x not in node.inputs:
        return None
    return node


def _has_constant(node: ir.Node, number: float) -> bool:
    arrays = [constant(value) for value in node.inputs]
    return any(array is not None and array.size == 1 and float(array.reshape(-1)[0]) == number for array in arrays)
