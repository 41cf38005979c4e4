"""The bottlenecks of a computation: values through which everything that reaches some targets must pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import onnx_ir as ir

from condmix.exporters.graph.facts import constant


def node_positions(graph: ir.Graph) -> dict[ir.Node, int]:
    """The position of every node in the graph's topological order."""
    return {node: index for index, node in enumerate(graph)}


def input_dependent(graph: ir.Graph) -> frozenset[ir.Value]:
    """All values that depend on a graph input (the others are constants, however they are written)."""
    dependent: set[ir.Value] = set(graph.inputs)
    for node in graph:
        if any(value in dependent for value in node.inputs if value is not None):
            dependent.update(node.outputs)
    return frozenset(dependent)


def dominators(
    targets: Sequence[ir.Value], positions: Mapping[ir.Node, int], dependent: frozenset[ir.Value]
) -> Iterator[ir.Value]:
    """Yield, nearest first, every single value that separates all `targets` from the graph inputs.

    A sweep against the topological order: whenever the frontier shrinks to one value, every path crosses it.
    """
    frontier = {target for target in targets if target in dependent and constant(target) is None}
    while frontier:
        if len(frontier) == 1:
            yield next(iter(frontier))
        latest = max(frontier, key=lambda value: _position(value, positions))
        producer = latest.producer()
        if producer is None:
            return
        frontier -= set(producer.outputs)
        frontier |= {value for value in producer.inputs if value is not None and value in dependent}


def _position(value: ir.Value, positions: Mapping[ir.Node, int]) -> int:
    producer = value.producer()
    return -1 if producer is None else positions[producer]
