"""Reading a graph: constants, static shapes and attributes, each with one answer or a named error."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from condmix.exporters.errors import GraphError

MODULE_KEY = "condmix.module"
"""Metadata key under which every node carries the dotted path of the PyTorch module it comes from."""


def constant(value: ir.Value | None) -> np.ndarray | None:
    """The constant a value holds, or None when it is computed from the graph's inputs (or absent)."""
    if value is None:
        return None
    tensor = value.const_value
    if tensor is None:
        producer = value.producer()
        if producer is None or producer.op_type != "Constant" or producer.domain:
            return None
        tensor = ir.convenience.get_const_tensor(value)
        if tensor is None:
            return None
    return tensor.numpy()


def constant_ints(value: ir.Value | None) -> tuple[int, ...] | None:
    """The integers of a constant (axes, shapes, pads), flattened; None when it is not constant."""
    array = constant(value)
    return None if array is None else tuple(int(item) for item in array.reshape(-1))


def static_shape(value: ir.Value) -> tuple[int, ...]:
    """The shape of a value in the batch-1 graph. Raises GraphError when a dimension is unknown."""
    if value.shape is None:
        message = f"value '{value.name}' has no shape: expected a graph with inferred shapes"
        raise GraphError(message)
    dimensions: list[int] = []
    for dimension in value.shape:
        if not isinstance(dimension, int):
            message = f"value '{value.name}' has shape {value.shape}: expected numbers only"
            raise GraphError(message)
        dimensions.append(dimension)
    return tuple(dimensions)


def element_count(value: ir.Value) -> int:
    """How many elements a value holds in the batch-1 graph."""
    return int(np.prod(static_shape(value), dtype=np.int64))


def attribute_ints(node: ir.Node, name: str, default: Sequence[int]) -> tuple[int, ...]:
    """An integer-list attribute, or its default."""
    attribute = node.attributes.get(name)
    return tuple(default) if attribute is None else tuple(attribute.as_ints())


def attribute_int(node: ir.Node, name: str, default: int) -> int:
    """An integer attribute, or its default."""
    attribute = node.attributes.get(name)
    return default if attribute is None else attribute.as_int()


def attribute_float(node: ir.Node, name: str, default: float) -> float:
    """A float attribute, or its default."""
    attribute = node.attributes.get(name)
    return default if attribute is None else attribute.as_float()


def attribute_string(node: ir.Node, name: str, default: str) -> str:
    """A string attribute, or its default."""
    attribute = node.attributes.get(name)
    return default if attribute is None else attribute.as_string()


def is_op(node: ir.Node | None, *op_types: str) -> bool:
    """Whether a node is one of these standard operators."""
    return node is not None and node.domain in ("", "ai.onnx") and node.op_type in op_types


def only_consumer(value: ir.Value) -> ir.Node | None:
    """The single node that reads a value; None when there are none, several, or it is a graph output."""
    uses = value.uses()
    if value.is_graph_output() or len(uses) != 1:
        return None
    return next(iter(uses)).node


def module_path(node: ir.Node) -> str:
    """The dotted PyTorch path a node comes from ('' for the network itself)."""
    return node.metadata_props.get(MODULE_KEY, "")
