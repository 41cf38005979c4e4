"""Which values of a graph are the same for every image of a size: they decide how often a loop runs."""

from __future__ import annotations

from collections.abc import Iterable

import onnx
from onnx import AttributeProto

_OF_SHAPES = frozenset({"Shape", "Size"})
_COUNTER_AND_CONDITION = 2


def fixed_values(graph: onnx.GraphProto, known: Iterable[str] = ()) -> set[str]:
    """Names that depend on stored numbers and on shapes alone; `known` are such names from outside.

    Shapes are taken as numbers: a shape that itself depends on the image is refused elsewhere, once it is left open.
    """
    fixed = {"", *known, *(tensor.name for tensor in graph.initializer)}
    for node in graph.node:
        if node.op_type == "Loop":
            fixed.update(_of_loop(node, fixed))
        elif node.op_type in _OF_SHAPES or (fixed.issuperset(node.input) and not _has_graphs(node)):
            fixed.update(node.output)
    return fixed


def runs_a_fixed_number_of_times(loop: onnx.NodeProto, fixed: set[str]) -> bool:
    """Whether neither the trip count nor any condition of a Loop depends on the image."""
    if not fixed.issuperset(loop.input[:2]):
        return False
    body, inside = body_of(loop), _inside(loop, fixed)
    return body.output[0].name in inside


def body_of(loop: onnx.NodeProto) -> onnx.GraphProto:
    """The graph that a Loop repeats."""
    bodies: list[onnx.GraphProto] = [item.g for item in loop.attribute if item.name == "body"]
    return bodies[0]


def inner_names(node: onnx.NodeProto) -> set[str]:
    """What a node reads, and what the graphs within it read."""
    names = set(node.input)
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            names.update(value.name for value in graph.output)
            for inner in graph.node:
                names.update(inner_names(inner))
    return names


def _of_loop(loop: onnx.NodeProto, fixed: set[str]) -> set[str]:
    """Outputs of a Loop that depend on nothing else, provided that it runs so many times."""
    if not runs_a_fixed_number_of_times(loop, fixed):
        return set()
    inside = _inside(loop, fixed)
    pairs = zip(body_of(loop).output[1:], loop.output, strict=False)
    return {outside for inner, outside in pairs if inner.name in inside}


def _inside(loop: onnx.NodeProto, fixed: set[str]) -> set[str]:
    """Fixed names within the body: what is carried from turn to turn is fixed where its start and its step are."""
    body = body_of(loop)
    counter = {value.name for value in body.input[:_COUNTER_AND_CONDITION]}
    carried = [
        (value.name, step.name)
        for value, step, start in zip(
            body.input[_COUNTER_AND_CONDITION:], body.output[1:], loop.input[_COUNTER_AND_CONDITION:], strict=False
        )
        if start in fixed
    ]
    while True:
        inside = fixed_values(body, fixed | counter | {name for name, _ in carried})
        kept = [(name, step) for name, step in carried if step in inside]
        if len(kept) == len(carried):
            return inside
        carried = kept


def _has_graphs(node: onnx.NodeProto) -> bool:
    return any(item.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS) for item in node.attribute)
