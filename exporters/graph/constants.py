"""Constants that are added to a graph, under names that nothing else has."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir


def add_constant(graph: ir.Graph, stem: str, array: np.ndarray) -> ir.Value:
    """An initializer of the graph, named after the stem; with a number where that name is taken.

    Nodes may share a weight, and one name may stand for one constant only.
    """
    name, number = stem, 2
    while name in graph.initializers:
        name, number = f"{stem}_{number}", number + 1
    value = ir.Value(
        name=name,
        shape=ir.Shape(array.shape),
        type=ir.TensorType(ir.DataType.from_numpy(array.dtype)),
        const_value=ir.tensor(np.ascontiguousarray(array)),
    )
    graph.register_initializer(value)
    return value
