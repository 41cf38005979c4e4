"""Putting new nodes into the first of the twins, in front of one of its nodes."""

from __future__ import annotations

import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.sizes.twins import Site


def insert_before(site: Site, builder: NodeBuilder) -> None:
    """The nodes and constants that were built stand in front of the site's node, under names that nobody has."""
    graph = site.node.graph
    assert isinstance(graph, ir.Graph)
    taken = {*graph.initializers, *(value.name for value in graph.inputs)}
    for node in graph:
        taken |= {node.name, *(output.name for output in node.outputs)}
    stem = f"{site.node.outputs[0].name}/size"
    while any(name is not None and name.startswith(f"{stem}_") for name in taken):
        stem = f"{stem}s"
    for number, value in enumerate(builder.constants):
        value.name = f"{stem}_{number}"
        graph.register_initializer(value)
    for number, node in enumerate(builder.nodes):
        node.name = f"{stem}_{node.op_type}_{number}"
        for output in node.outputs:
            output.name = node.name
    graph.insert_before(site.node, builder.nodes)
