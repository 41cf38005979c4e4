"""The block around a site as a small graph of its own: from the convolution in front to the one behind.

A form can cost its neighbours a change of layout, so the neighbours belong to what is measured: the last convolution
that all the site reads has come through, unless a residual sum lies between, and the first convolution behind it.
"""

from __future__ import annotations

import heapq

import onnx_ir as ir

from condmix.exporters.graph.facts import constant, is_op
from condmix.exporters.named.condconv import is_condconv
from condmix.exporters.named.mixconv import is_mixconv
from condmix.exporters.recognise.dominators import dominators, input_dependent, node_positions
from condmix.exporters.tune.sites import Site

MOST_NODES_BEHIND = 16
"""A block that finds no convolution behind within so many nodes ends with the site itself."""


def block_of(model: ir.Model, site: Site) -> ir.Model:
    """The block as a model; names of values, nodes and modules are those of the whole graph, which is left as it is."""
    graph = model.graph
    positions = node_positions(graph)
    dependent = input_dependent(graph)
    start = _start(site, positions, dependent)
    end = _end(site.nodes[-1], positions)
    inputs = _inputs(end, start, positions, dependent)
    part = ir.convenience.extract(graph, inputs, [end])
    return ir.Model(part, ir_version=model.ir_version)


def is_convolution(node: ir.Node | None) -> bool:
    """A convolution of any kind, named ones too, whose result is an image."""
    return node is not None and (is_op(node, "Conv") or is_condconv(node) or is_mixconv(node))


def _start(site: Site, positions: dict[ir.Node, int], dependent: frozenset[ir.Value]) -> ir.Node:
    """The first node of the block."""
    first = site.nodes[0]
    x = first.inputs[0]
    assert x is not None
    for value in dominators([x], positions, dependent):
        producer = value.producer()
        if producer is None or is_op(producer, "Add"):
            break
        if is_convolution(producer) and not _is_pooled(value):
            return producer
    return first


def _end(last: ir.Node, positions: dict[ir.Node, int]) -> ir.Value:
    """The last value of the block: all that the site reaches is followed node by node, in the graph's order."""
    value = last.outputs[0]
    waiting: list[tuple[int, ir.Node]] = []
    seen: set[ir.Node] = set()
    for _ in range(MOST_NODES_BEHIND):
        for use in value.uses():
            if use.node not in seen:
                seen.add(use.node)
                heapq.heappush(waiting, (positions[use.node], use.node))
        if value.is_graph_output():
            return value
        _, node = heapq.heappop(waiting)
        value = node.outputs[0]
        if is_convolution(node) and not _is_pooled(value):
            return value
    return last.outputs[0]


def _inputs(
    end: ir.Value, start: ir.Node, positions: dict[ir.Node, int], dependent: frozenset[ir.Value]
) -> list[ir.Value]:
    """The values that the block is fed: what the start reads, every routing, and what comes from further up."""
    found: dict[ir.Value, None] = {}
    seen: set[ir.Value] = set()
    waiting = [end]
    while waiting:
        value = waiting.pop()
        if value in seen or value not in dependent or constant(value) is not None:
            continue
        seen.add(value)
        node = value.producer()
        if node is None or positions[node] < positions[start]:
            found[value] = None
            continue
        read = list(node.inputs)
        if is_condconv(node):
            routing = read[1]
            assert routing is not None
            found[routing] = None
            seen.add(routing)
        waiting += [one for one in read if one is not None]
    return list(found)


def _is_pooled(value: ir.Value) -> bool:
    """A convolution over a single position belongs to a squeeze-excite."""
    return value.shape is not None and tuple(value.shape)[2:] == (1, 1)
